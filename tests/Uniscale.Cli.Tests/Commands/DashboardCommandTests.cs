using System.Diagnostics;
using System.Text.RegularExpressions;
using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;
using Uniscale.Launching.Supervision;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>The dashboard as the program serves it, over a run that the program has trained.</summary>
public sealed partial class DashboardCommandTests
{
    [Theory]
    [InlineData("There is no folder", "nothing")]
    [InlineData("--token FILE", ".", "--address", "0.0.0.0")]
    [InlineData("is no address", ".", "--address", "everywhere")]
    [InlineData("is no port", ".", "--port", "70000")]
    [InlineData("cannot be read", ".", "--token", "missing.txt")]
    public void WhatCannotBeServedIsRefusedInASentence(string sentence, params string[] arguments) =>
        Assert.Contains(sentence, CommandRun.Refused(["dashboard", .. arguments]));

    [Fact]
    public async Task ATrainedRunIsServedFromAnyFolderWithAllItsAssets()
    {
        using var corpus = new SmallCorpus();
        SmallCorpus.End(SmallCorpus.Start("train", corpus.In("base.yaml"), "--ranks", "2", "--trace", corpus.In("trace.json")));
        File.Move(corpus.In("trace.json"), corpus.In("run/trace.json"));
        var start = new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "uniscale"),
            ["dashboard", corpus.In("."), "--port", "0", "--read-shards"]
        )
        {
            RedirectStandardOutput = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        using var process = Process.Start(start)!;
        try
        {
            string said = (await process.StandardOutput.ReadLineAsync())!;
            using var client = new HttpClient { BaseAddress = new Uri(Address().Match(said).Value) };
            string page = await client.GetStringAsync("/");
            Assert.Contains("finished", page);
            string run = Run().Match(page).Value;
            foreach (Match asset in Asset().Matches(page))
                Assert.True((await client.GetByteArrayAsync(asset.Groups[1].Value)).Length > 100, asset.Value);
            Assert.Equal(4, Asset().Count(page));
            Assert.Contains("rank 1 compute", await client.GetStringAsync(run + "/timeline"));
            Assert.Contains("Fed until then", await client.GetStringAsync(run + "/curriculum?at=200"));
            Assert.Contains("held-out", await client.GetStringAsync(run + "/evaluations"));
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
        TheDashboardReadsHeartbeatsAsTheirWriterDoes(corpus);
    }

    /// <summary>Their layout is known in two projects.</summary>
    private static void TheDashboardReadsHeartbeatsAsTheirWriterDoes(SmallCorpus corpus)
    {
        var written = Heartbeat.ReadAll(corpus.In("run/launch"));
        var read = RankSign.Read(new RunsFolder(corpus.In(".")), corpus.In("run"));
        Assert.Equal(2, written.Count);
        Assert.Equal(
            written.Select(beat => (beat.Rank, beat.Host, beat.ProcessId, beat.Step, beat.Busy, beat.Alive, beat.Moved)),
            read.Select(sign => (sign.Rank, sign.Host, sign.ProcessId, sign.Step, sign.Busy, sign.Alive, sign.Moved))
        );
    }

    [Fact]
    public void ARunThatHasEndedIsWatchedOnce()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder.In("metrics.jsonl"),
            """
            {"kind":"start","time":"2026-01-01T00:00:00Z","ranks":2,"layout":"dp2","total_steps":9}
            {"kind":"step","time":"2026-01-01T00:00:05Z","step":4,"phase":"fine","consumed_tokens":4000,"loss":"NaN","domain_losses":{"prose":2.5},"tokens_per_second":800,"seconds":1}
            {"kind":"validation","time":"2026-01-01T00:00:05Z","step":4,"name":"books","domain":"prose","loss":2.25,"tokens":5}
            {"kind":"end","time":"2026-01-01T00:00:06Z","step":4,"finished":false,"message":"Stopped."}

            """
        );
        string line = CommandRun.Ok("status", folder.In(""), "--watch");
        Assert.Equal(
            "stopped step 4/9 | phase fine | loss NaN | 800 tok/s | mfu – | effective – | restarts 0 | loss/prose 2.5000 | validation/books 2.2500\n",
            line
        );
        Assert.Contains("There is no run in", CommandRun.Refused("status", folder.In("nothing"), "--watch"));
        var catalog = new RunCatalog(new RunsFolder(folder.In("")));
        string picture = Cli.Commands.StatusWatch.Picture(catalog.Only()!, catalog.Summary(catalog.Only()!));
        Assert.Contains("books", picture);
        Assert.Contains("prose", picture);
        Assert.All(picture.Split('\n'), row => Assert.InRange(row.Length, 0, 80));
        Assert.DoesNotContain('\e', picture);
    }

    [GeneratedRegex(@"http://\S+")]
    private static partial Regex Address();

    [GeneratedRegex("/run/[0-9a-f]{16}")]
    private static partial Regex Run();

    [GeneratedRegex("(?:src|href)=\"(/assets/[^\"]+)\"")]
    private static partial Regex Asset();
}
