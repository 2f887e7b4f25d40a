"""The engine: a checkpoint folder answers. Scheduler, latent cache, sampler; back ends are plug-ins. No torch."""
