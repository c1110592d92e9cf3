"""The commonest words of some languages, which are no subjects; folded, four letters or longer.

To save work: a word that a feed uses all day is expected all day and cannot trend. But the words with which people tell
of anything that happens, and what is left of a link that was cut off, rise with each event: two events in one place
would have them in common, and be one.
"""

_OF_ANY_EVENT = """breaking headline headlines http https latest live news photo photos pics picture pictures report
reported reporting reports update updated updates updating video videos"""

_ENGLISH = """about above after again against almost also always april around august away back because been before
behind being below best better between both came cannot could december didn't does doesn't doing don't
done down during each else even ever every everyone everything february feel find first follow following
friday from gets getting give goes going gonna good great happy hasn't have haven't having he's hello
here i'll i've into isn't it's january july june just keep know last least less let's life like little
long look looking lots love made make makes making many march maybe monday month more morning most much
must need never next night nothing november october once only other ours over people please pretty really
retweet right said same saturday says seen september shall she's should show since some someone something
soon still stop such sunday sure take than thank thanks that that's their them then there there's these
they they're thing things think this those though through thursday time today together tomorrow tonight
took tuesday tweet tweets twitter under until upon very wait want wanted wants wasn't watch we're we've
wednesday week well went were weren't what what's when where which while who's whom whose will wish with
without won't work world would wouldn't yeah year years yesterday you're you've your yours"""
_SPANISH = """ahora algo antes aqui aquí aunque bien cada casi como contra cosa cosas creo cual cuando cuál cuándo cómo
desde despues después dias dice dicen donde durante días dónde ella ellas ellos entre eres esta estaba
estan estar estas este esto estos estoy está están estás fueron gente gracias habia había hace hacer
hacia hasta hola jajaja luego mañana mejor menos mientras misma mismo mucha muchas mucho muchos nada
nadie noche nosotros nuestra nuestro nunca otra otras otro otros para pero poco porque puede pueden pues
quien quiere quiero quién saber segun según sera será sido siempre siendo sobre solo somos sólo tambien
también tanto tener tengo tiene tienen toda todas todavía todo todos tras unas unos usted vamos veces
verdad vida"""
_PORTUGUESE = """agora ainda algum alguma amanhã antes aquela aquele aqui assim cada coisa comigo como contra dela dele
deles depois desde dessa desse desta deste disse dizer eles essa esse esta estamos estar estava este
estou está estão fazer foram gente hoje isso isto mais meio melhor menos mesma mesmo meus minha muita
muito muitos nada nesta neste ninguém nossa nosso nunca onde ontem outra outro para pela pelo pelos pode
porque pouco quando quase quem quer quero sabe seja sempre seus sobre suas tambem também tanto tenho
tinha toda todas todo todos tudo umas vamos vida voce você vocês"""
_ITALIAN = """adesso alla alle allo altra altre altri altro anche ancora avere aveva bene casa come cosa cose cosi così
dalla dalle degli della delle dello dentro dopo dove dunque ecco erano essere fare fatto forse giorno
grazie hanno loro male meglio meno mentre molti molto nella nelle nello niente nostra nostro oggi ogni
perche perché pero però prima proprio qualche quale quando quanto quella quelle quelli quello questa
queste questi questo quindi sara sarà sempre senza siamo sono sopra sotto stata stati stato sugli sulla
sulle troppo tutta tutte tutti tutto vita"""
_FRENCH = """alors aussi autre autres avant avec avoir bien bonjour c'est cela celle celui ceux chez comme comment
contre dans demain depuis deux donc elle elles encore entre etait etre faire fait faut hier j'ai jamais
leur leurs mais meme merci mieux moins même nous parce pendant peut plus pour pourquoi quand quel quelle
quoi rien sans sera sont sous suis tous tout toute toutes tres trop très vers voir votre vous était être"""
_GERMAN = """aber alle allem allen alles also andere auch beim bitte damit dann dass deine denn diese diesem diesen
dieser dieses doch dort durch eine einem einen einer eines einfach etwas euch gegen geht gibt habe haben
hast hatte heute hier immer jetzt kann kein keine koennen können machen macht mehr mein meine mich muss
nach nicht nichts noch oder ohne schon sehr sein seine seit sich sind ueber unser unter viel wann warum
weil wenn werden wieder will wird wurde über"""

STOP_WORDS = frozenset(
    word
    for language in (_OF_ANY_EVENT, _ENGLISH, _SPANISH, _PORTUGUESE, _ITALIAN, _FRENCH, _GERMAN)
    for word in language.split()
    if len(word) >= 4
)
