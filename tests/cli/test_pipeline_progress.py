from types import SimpleNamespace

from watermark.cli.pipeline_progress import watch


def test_a_run_says_at_its_start_what_is_to_be_done_and_when_it_will_be_heard_of(capsys):
    plan = SimpleNamespace(pictures=7, shards=2, settings={"shard_size": 4})
    with watch(plan, set()):
        begun = " ".join(capsys.readouterr().err.split())
    assert begun == "7 pictures in 2 shards of up to 4 (--shard-size); the count moves when a shard is done"
    with watch(plan, {1}):
        assert capsys.readouterr().err.strip() == "goes on: 1 of 2 shards are done"
