using System.Text;
using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Reading;

public sealed class MetricsFollowerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Metrics => _folder.In("run/metrics.jsonl");

    private MetricsFollower Follow() => new(new RunsFolder(_folder.FullPath), _folder.In("run"));

    [Fact]
    public void WhatIsAppendedIsRead()
    {
        _folder.Write("run/metrics.jsonl", Sample.Run(10));
        var follower = Follow();
        Assert.False(follower.ReadOn());
        Assert.Equal((10, 1), follower.Look((series, state) => (series.Count, state.Generation)));
        File.AppendAllText(Metrics, Sample.Step(11) + "\n" + Sample.Step(12)[..40]);
        follower.ReadOn();
        Assert.Equal((11, 1), follower.Look((series, state) => (series.Count, state.Generation)));
        File.AppendAllText(Metrics, Sample.Step(12)[40..] + "\n");
        follower.ReadOn();
        Assert.Equal((12L, 12 * 512L, 0L), follower.Look((series, _) => (series.Steps[^1], series.Tokens[^1], series.UnreadLines)));
    }

    [Fact]
    public void AResumedRunIsReadAnew()
    {
        _folder.Write("run/metrics.jsonl", Sample.Run(20));
        var follower = Follow();
        follower.ReadOn();
        // As a resumption does: the records that stay are written beside, and moved over.
        File.WriteAllText(
            Metrics + ".tmp",
            Sample.Run(15) + Sample.Start(15) + "\n" + string.Concat(Enumerable.Range(16, 10).Select(step => Sample.Step(step, "5") + "\n"))
        );
        File.Move(Metrics + ".tmp", Metrics, overwrite: true);
        while (follower.ReadOn()) { }
        Assert.Equal((25, 5f, 2), follower.Look((series, state) => (series.Count, series[Measure.Loss][^1], state.Generation)));
    }

    [Fact]
    public void ADeletedRunKeepsWhatWasReadAndBreaksNothing()
    {
        _folder.Write("run/metrics.jsonl", Sample.Run(5));
        var follower = Follow();
        follower.ReadOn();
        Directory.Delete(_folder.In("run"), recursive: true);
        Assert.False(follower.ReadOn());
        Assert.Equal(5, follower.Look((series, _) => series.Count));
    }

    [Fact]
    public void DamagedLinesAreLeftOutAndCounted()
    {
        string[] damaged =
        [
            "",
            "null",
            "[]",
            "{",
            "{}",
            "{\"kind\":7}",
            "{\"kind\":\"step\"",
            "{\"kind\":\"step\",\"step\":1}}",
            new string('[', 3000),
            "{\"kind\":\"step\",\"step\":{\"a\":",
            "\u0000\u0001",
            "{\"kind\":\"other\",\"step\":3}",
        ];
        var bytes = new List<byte>();
        foreach (string line in damaged)
            bytes.AddRange(Encoding.UTF8.GetBytes(line + "\n"));
        bytes.AddRange([.. "{\"kind\":\"note\",\"step\":1,\"message\":\""u8, 0xff, 0xfe, .. "\"}\n"u8]);
        bytes.AddRange(Encoding.UTF8.GetBytes(new string('x', MetricsFollower.LongestLine + 10) + "\n"));
        bytes.AddRange(Encoding.UTF8.GetBytes(Sample.Step(7) + "\n"));
        Directory.CreateDirectory(_folder.In("run"));
        File.WriteAllBytes(Metrics, [.. bytes]);
        var follower = Follow();
        follower.ReadOn();
        Assert.Equal((1, 7L), follower.Look((series, _) => (series.Count, series.Steps[0])));
        Assert.True(follower.Look((series, _) => series.UnreadLines) >= damaged.Length - 1);
    }

    [Theory]
    [InlineData("\"NaN\"", float.NaN)]
    [InlineData("\"Infinity\"", float.PositiveInfinity)]
    [InlineData("\"-Infinity\"", float.NegativeInfinity)]
    [InlineData("1e400", float.PositiveInfinity)]
    [InlineData("null", float.NaN)]
    [InlineData("\"<script>\"", float.NaN)]
    [InlineData("{\"a\":[1,2]}", float.NaN)]
    public void ALossThatIsNoNumberIsKeptAsSuch(string written, float read)
    {
        _folder.Write("run/metrics.jsonl", Sample.Step(1, written) + "\n" + Sample.Step(2) + "\n");
        var follower = Follow();
        follower.ReadOn();
        Assert.Equal(read, follower.Look((series, _) => series[Measure.Loss][0]));
        Assert.Equal(2, follower.Look((series, _) => series.Count));
    }

    [Fact]
    public void ALargeFileIsSampledFirstAndThenReadWhole()
    {
        Directory.CreateDirectory(_folder.In("run"));
        const int steps = 40_000;
        using (var writer = new StreamWriter(Metrics))
            for (int step = 1; step <= steps; step++)
                writer.Write(Sample.Step(step) + "\n");
        var follower = Follow();
        Assert.True(follower.ReadOn());
        var (count, first, last, isWhole) = follower.Look(
            (series, state) => (series.Count, series.Steps[0], series.Steps[^1], state.IsWhole)
        );
        Assert.False(isWhole);
        Assert.InRange(count, 500, 3_000);
        Assert.Equal((1L, (long)steps), (first, last));
        // Steps are in order, and spread evenly.
        Assert.InRange(follower.Look((series, _) => series.Steps[series.Count / 2 - 100]), steps / 8, steps);
        while (follower.ReadOn()) { }
        Assert.Equal((steps, true), follower.Look((series, state) => (series.Count, state.IsWhole)));
    }
}
