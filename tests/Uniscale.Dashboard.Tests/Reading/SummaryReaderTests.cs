using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;
using Uniscale.Telemetry;

namespace Uniscale.Dashboard.Tests.Reading;

public sealed class SummaryReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private RunSummary Read()
    {
        var catalog = new RunCatalog(new RunsFolder(_folder.FullPath));
        return Assert.Single(catalog.Summaries());
    }

    [Fact]
    public void ARunThatIsFinishedSaysSo()
    {
        _folder.Write("a/metrics.jsonl", Sample.Run(30) + Sample.End(30) + "\n");
        var summary = Read();
        Assert.Equal(
            (RunState.Finished, 30L, 1000L, 0.9, "tp1 pp2 cp1 dp1 zero0"),
            (summary.State, summary.Step, summary.TotalSteps, summary.EffectiveShare, summary.Layout)
        );
        Assert.Equal("Training is done.", summary.Ending);
    }

    [Fact]
    public void ALongRunIsSummedUpFromItsEnds()
    {
        Directory.CreateDirectory(_folder.In("a"));
        using (var writer = new StreamWriter(_folder.In("a/metrics.jsonl")))
        {
            writer.Write(Sample.Start() + "\n");
            for (int step = 1; step <= 5_000; step++)
                writer.Write(Sample.Step(step) + "\n");
            writer.Write(Sample.Step(5_001, "\"NaN\"") + "\n" + Sample.Step(5_002)[..30]);
        }
        var summary = Read();
        Assert.Equal((RunState.Gone, 5_001L, 2L, 405568L), (summary.State, summary.Step, summary.Ranks, summary.ParameterCount));
        Assert.Equal(double.NaN, summary.Loss);
    }

    [Fact]
    public void TheLaunchersWordsCount()
    {
        _folder.Write("a/metrics.jsonl", Sample.Run(3));
        _folder.Write(
            "a/launch/events.jsonl",
            """
            {"time":"2026-11-29T10:00:00+00:00","kind":"Started","attempt":1,"step":0,"message":"attempt 1","fault":null}
            {"time":"2026-11-29T10:00:01+00:00","kind":"Fault","attempt":1,"step":2,"message":"rank 1 failed","fault":{"kind":"signal"}}
            nonsense
            {"time":"2026-11-29T10:00:02+00:00","kind":"Restarted","attempt":2,"step":0,"message":"attempt 2"}
            {"time":"2026-11-29T10:00:03+00:00","kind":"GivenUp","attempt":2,"step":2,"message":"the budget is spent"}

            """
        );
        var summary = Read();
        Assert.Equal((RunState.Failed, 1, "the budget is spent"), (summary.State, summary.Restarts, summary.LastFault));
    }

    [Fact]
    public void CheckpointsAreSeenByTheirMarkers()
    {
        _folder.Write("a/metrics.jsonl", Sample.Run(3));
        _folder.Write(
            "a/checkpoints/step-00000100/COMMITTED",
            "uniscale-checkpoint 1\nstep 100\nordinal 2\nkeep 1\nattempt x\nmanifest 139 y\ndigest z\n"
        );
        _folder.Write(
            "a/checkpoints/step-00000100/manifest.json",
            """{ "format_version": 1, "step": 100, "consumed_tokens": 51200, "saved_at": "2026-11-29T10:00:00+00:00", "world_size": 2, "tensors": [ {"a": """
        );
        _folder.Write("a/checkpoints/step-00000200/manifest.json", "{");
        _folder.Write("a/checkpoints/step-x/COMMITTED", "uniscale-checkpoint 1\nordinal 9\n");
        Assert.Equal(100, Read().CheckpointStep);
        var list = CheckpointView.List(new RunsFolder(_folder.FullPath), _folder.In("a"));
        Assert.Equal([100L, 200L], list.Select(view => view.Step));
        Assert.Equal((2L, true, null, 51200L, 2L), (list[0].Ordinal, list[0].IsKept, list[0].Damage, list[0].Tokens, list[0].WorldSize));
        Assert.NotNull(list[1].Damage);
    }

    [Fact]
    public void ASummaryIsReadAgainWhenTheRunGoesOn()
    {
        _folder.Write("a/metrics.jsonl", Sample.Run(3));
        var catalog = new RunCatalog(new RunsFolder(_folder.FullPath));
        Assert.Equal(3, catalog.Summaries()[0].Step);
        File.AppendAllText(_folder.In("a/metrics.jsonl"), Sample.Step(4) + "\n");
        File.SetLastWriteTimeUtc(_folder.In("a/metrics.jsonl"), DateTime.UtcNow.AddSeconds(1));
        Assert.Equal(4, catalog.Summaries()[0].Step);
    }
}
