"""The JSON lines source: files, standard input and MongoDB collections, in tagstream's form or Twitter's."""
