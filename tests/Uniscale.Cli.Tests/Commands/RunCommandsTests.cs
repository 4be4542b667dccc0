using Uniscale.Launching.Supervision;

namespace Uniscale.Cli.Tests.Commands;

public sealed class RunCommandsTests : IDisposable
{
    private readonly string _run = Directory.CreateTempSubdirectory("uniscale-cli-").FullName;

    public RunCommandsTests()
    {
        File.WriteAllText(
            Path.Combine(_run, "metrics.jsonl"),
            """
            {"kind":"start","time":"2026-01-01T00:00:00Z","ranks":2,"layout":"dp2","total_steps":9}
            {"kind":"step","time":"2026-01-01T00:00:05Z","step":4,"consumed_tokens":4000,"loss":2.5,"tokens_per_second":800,"seconds":1}
            """
        );
        string launch = Directory.CreateDirectory(Path.Combine(_run, "launch")).FullName;
        var fault = new Fault("hang", 4, 1, "n1", "rank 1 on n1 did not come");
        new EventLog(launch).Add(
            new JobEvent(new(2026, 1, 1, 0, 0, 9, TimeSpan.Zero), JobEventKind.GivenUp, 1, 4, fault.Message, fault, ["rank 0: waits"])
        );
    }

    public void Dispose() => Directory.Delete(_run, recursive: true);

    [Fact]
    public void Status_shows_where_the_run_is()
    {
        var (code, output, _) = CommandRun.Of("status", _run);
        Assert.Equal(0, code);
        Assert.Matches(@"state +failed", output);
        Assert.Matches(@"step +4 of 9", output);
        Assert.Matches(@"last fault +rank 1 on n1 did not come", output);
    }

    [Fact]
    public void Why_names_the_rank_and_shows_what_each_did()
    {
        var (code, output, _) = CommandRun.Of("why", _run);
        Assert.Equal(0, code);
        Assert.Contains("The run failed at step 4: rank 1 on n1 did not come.", output);
        Assert.Contains("rank 0: waits", output);
    }

    [Theory]
    [InlineData("Step 4 has numbers that are not finite; bad_steps.not_finite is stop.")]
    [InlineData("Stopped after step 4, saved; continue with --resume.")]
    public void Why_a_run_stopped_is_told_in_its_own_words(string sentence)
    {
        File.AppendAllText(
            Path.Combine(_run, "metrics.jsonl"),
            $$"""

            {"kind":"end","time":"2026-01-01T00:00:06Z","step":4,"finished":false,"message":"{{sentence}}"}
            """
        );
        Assert.StartsWith(sentence, CommandRun.Of("why", _run).Output);
    }

    [Fact]
    public void No_run_is_the_users_error() => Assert.Equal(2, CommandRun.Of("status", Path.Combine(_run, "nothing")).Code);

    /// <summary>Files of any bytes end in an answer or in one sentence, never in a failure.</summary>
    [Fact]
    public void Foreign_bytes_in_the_runs_files_are_no_failure()
    {
        var random = new Random(4);
        for (int round = 0; round < 60; round++)
        {
            foreach (string name in (string[])["rank-00000.beat", "rank-00000.journal", "events.jsonl"])
            {
                byte[] bytes = new byte[random.Next(400)];
                random.NextBytes(bytes);
                File.WriteAllBytes(Path.Combine(_run, "launch", name), bytes);
            }
            foreach (string command in (string[])["status", "why"])
                Assert.Equal((0, ""), (CommandRun.Of(command, _run).Code, CommandRun.Of(command, _run).Error));
        }
        File.WriteAllText(Path.Combine(_run, "metrics.jsonl"), "7\n");
        Assert.Contains("holds no record of a run", CommandRun.Refused("status", _run), StringComparison.Ordinal);
        Assert.Contains("holds no record of a run", CommandRun.Refused("why", _run), StringComparison.Ordinal);
        File.Delete(Path.Combine(_run, "metrics.jsonl"));
        File.Delete(Path.Combine(_run, "launch", "events.jsonl"));
        Assert.Contains("is not ready to train yet", CommandRun.Refused("why", _run), StringComparison.Ordinal);
    }
}
