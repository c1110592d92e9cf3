"""Operations on text that every package shares: folding, languages, hashtags, safe output."""
