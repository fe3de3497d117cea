# Every target is a script in tests/bin. PG_CONFIG=… chooses the server.

.PHONY: help demo test soak install bench bench-match lint stop clean

help:
	@echo 'make demo         load a shop and a set of records, resolve them, show some people'
	@echo 'make test         run every test'
	@echo 'make soak         run the random tests of the live graph for long [SOAK=20 times as many]'
	@echo 'make install      build in release mode and install [PG_CONFIG=/path/to/pg_config]'
	@echo 'make bench        measure against the limit and against the alternatives'
	@echo 'make bench-match  measure matching against Splink'
	@echo 'make lint         check format, lints, SQL objects and the examples in the docs'
	@echo 'make stop         stop the private clusters'
	@echo 'make clean        remove them and everything built'

demo test install lint bench-match:
	@tests/bin/$@

soak: SOAK ?= 20
soak:
	@SOAK=$(SOAK) tests/bin/test soak

bench:
	@tests/bin/setup bench && tests/bin/install && tests/bin/bench

stop:
	@tests/bin/cluster stop --all

clean:
	@tests/bin/cluster destroy --all
	@rm -rf target
