"""The optimisers of Haber & Ruthotto 2017: block coordinate descent with Newton steps."""
