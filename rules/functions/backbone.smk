# What rules/backbone.smk asks of the embedded backbones.


def learned(wildcards):
    """The data set that a UNet learns from, and the size of its pictures."""
    embedded = EMBEDDED[wildcards.embedded]
    return embedded.unet.data[0], embedded.size


def pictures_learned(wildcards):
    """The prepared data sets that a VAE learns from."""
    embedded = EMBEDDED[wildcards.embedded]
    return [PATHS.data(dataset, embedded.size) for dataset in embedded.vae.data]
