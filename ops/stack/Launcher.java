import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** Starts one Elasticsearch node from published jars: `Launcher CONFIG_FOLDER MODULES_FOLDER`. SIGTERM closes it. */
public final class Launcher {
    private static final String NAME = "stack";

    public static void main(String[] arguments) throws Exception {
        // Both before anything else: the node's first log line needs them.
        LogConfigurator.configureESLogging();
        LogConfigurator.setNodeName(NAME);
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(Settings.EMPTY, Map.of(), Path.of(arguments[0]), () -> NAME);
        LogConfigurator.configure(environment, true);
        PluginsLoader plugins = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(Path.of(arguments[1])),
            PluginsLoader.loadPluginsBundles(environment.pluginsDir()),
            Map.of());
        Node node = new Node(environment, plugins);
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node, stopped)));
        node.start();
        stopped.await();
    }

    private static void close(Node node, CountDownLatch stopped) {
        try {
            node.close();
        } catch (IOException error) {
            System.err.println("closing the node failed: " + error);
        } finally {
            stopped.countDown();
        }
    }
}
