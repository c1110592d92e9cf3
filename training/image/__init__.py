"""The image encoder: its data, its teacher, its network, how it is trained, exported and measured.

Owns everything up to the files of `triton_models/image_encoder/`. Knows nothing of posts, nor of who asks for labels.
"""
