using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;
using Uniscale.Telemetry;

namespace Uniscale.Launching.Tests.Supervision;

public sealed class RunStatusTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly string _run = Directory.CreateTempSubdirectory("uniscale-run-").FullName;

    public void Dispose() => Directory.Delete(_run, recursive: true);

    private static string Time(double seconds) => Start.AddSeconds(seconds).ToString("yyyy-MM-ddTHH:mm:ss.fffZ");

    private static string Step(long step, double at, double loss = 3) =>
        $$"""{"kind":"step","time":"{{Time(at)}}","step":{{step}},"consumed_tokens":{{step * 100}},"loss":{{loss}},"tokens_per_second":50,"seconds":2}""";

    private static string Began(double at) => $$"""{"kind":"start","time":"{{Time(at)}}","ranks":2,"layout":"dp2","total_steps":9}""";

    private RunStatus Read(params string[] lines)
    {
        File.WriteAllLines(Path.Combine(_run, "metrics.jsonl"), lines);
        return RunStatus.Read(_run, Start.AddSeconds(40));
    }

    private void Happened(JobEventKind kind, double at, Fault? fault = null)
    {
        Directory.CreateDirectory(Path.Combine(_run, "launch"));
        new EventLog(Path.Combine(_run, "launch")).Add(new JobEvent(Start.AddSeconds(at), kind, 1, 2, "words", fault));
    }

    [Fact]
    public void StepsThatWereDoneAgainCountOnce()
    {
        Happened(JobEventKind.Started, -2);
        Happened(JobEventKind.Fault, 7, new Fault("signal 9", 3, 1, "n1", "rank 1 failed"));
        Happened(JobEventKind.Restarted, 8);
        var status = Read(
            Began(0),
            Step(1, 3),
            Step(2, 5),
            Step(3, 7),
            Began(9),
            Step(2, 12),
            Step(3, 14),
            $$"""{"kind":"note","time":"{{Time(15)}}","note":"checkpoint-durable","message":"step 3 is durable"}""",
            $$"""{"kind":"end","time":"{{Time(18)}}","finished":true}"""
        );
        Assert.Equal(
            (RunState.Finished, 3, 9, 300, 1),
            (status.State, status.Step, status.TotalSteps, status.ConsumedTokens, status.Restarts)
        );
        Assert.Equal((6, 20, 0.3), (status.Account.Effective, status.Wall.TotalSeconds, status.EffectiveShare));
        Assert.Equal(("step 3 is durable", "signal 9"), (status.Checkpoint, status.LastFault!.Fault!.Kind));
    }

    [Fact]
    public void TheStateIsTold()
    {
        Assert.Equal(RunState.Stopped, Read(Began(0), Step(1, 3), $$"""{"kind":"end","time":"{{Time(4)}}","finished":false}""").State);
        Assert.Equal(RunState.Gone, Read(Began(0), Step(1, 3)).State);
        Happened(JobEventKind.GivenUp, 5);
        Assert.Equal(RunState.Failed, Read(Began(0), Step(1, 3)).State);
        var worlds = InProcessWorld.Create(1);
        using var monitor = new RankMonitor(Path.Combine(_run, "launch", "attempt-0001"), worlds[0]);
        Assert.Equal(RunState.Running, RunStatus.Read(_run, DateTimeOffset.UtcNow).State);
        worlds[0].Dispose();
    }

    /// <summary>A killed process leaves a beat that is a second old; whoever asks then is not told that the run goes on.</summary>
    [Fact]
    public void AKilledProcessIsGoneAtOnce()
    {
        using var rank = System.Diagnostics.Process.Start("sleep", "60");
        string folder = Directory.CreateDirectory(Path.Combine(_run, "launch")).FullName;
        void Beat(string host)
        {
            var slot = new HeartbeatSlot
            {
                AliveTicks = DateTime.UtcNow.Ticks,
                MovedTicks = DateTime.UtcNow.Ticks,
                ProcessId = rank.Id,
            };
            slot.SetHost(host);
            byte[] bytes = new byte[HeartbeatSlot.SizeBytes];
            System.Runtime.InteropServices.MemoryMarshal.Write(bytes, slot);
            // In place, as a rank writes it: whoever reads never finds it cut.
            using var file = File.OpenHandle(
                Heartbeat.PathOf(folder, 0),
                FileMode.OpenOrCreate,
                FileAccess.Write,
                FileShare.ReadWrite
            );
            RandomAccess.Write(file, bytes, 0);
        }
        Read(Began(0), Step(1, 3));
        Beat(Environment.MachineName);
        Assert.Equal(RunState.Running, RunStatus.Read(_run, DateTimeOffset.UtcNow).State);
        rank.Kill();
        rank.WaitForExit();
        Assert.Equal(RunState.Gone, RunStatus.Read(_run, DateTimeOffset.UtcNow).State);
        // On another host it cannot be seen: its beat tells.
        Beat("n0417");
        Assert.Equal(RunState.Gone, RunStatus.Read(_run, DateTimeOffset.UtcNow).State);
        using var beating = new Timer(_ => Beat("n0417"), null, 0, 200);
        Assert.Equal(RunState.Running, RunStatus.Read(_run, DateTimeOffset.UtcNow).State);
    }

    [Fact]
    public void AHalfWrittenLineIsPassedOver() => Assert.Equal(1, Read(Began(0), Step(1, 3), """{"kind":"step","time":"2026""").Step);

    [Fact]
    public void AFolderWithoutARunIsTheUsersError() =>
        Assert.Contains(
            "There is no run in",
            Assert.Throws<UserErrorException>(() => RunStatus.Read(_run, Start)).Message,
            StringComparison.Ordinal
        );

    /// <summary>A folder that is refused as one that holds a run is not said to hold none.</summary>
    [Fact]
    public void ARunThatWasKilledWhileItStartedIsOne()
    {
        Directory.CreateDirectory(Path.Combine(_run, RankLauncher.FolderName));
        Assert.Contains(
            "is not ready to train yet, or ended before it was",
            Assert.Throws<UserErrorException>(() => RunStatus.Read(_run, Start)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void LinesThatAreNoRecordsAreLeftOutAndCounted()
    {
        var status = Read(Began(0), "7", Step(3, 7), "[]", """{"kind":"step"}""", """{"kind":"st""");
        Assert.Equal((3, 4), (status.Step, status.UnreadLines));
        Assert.Contains("holds no record of a run", Assert.Throws<UserErrorException>(() => Read("7")).Message);
    }

    [Fact]
    public void AJobThatNeverStartedIsARunAllTheSame()
    {
        Happened(JobEventKind.Started, 0);
        Happened(JobEventKind.GivenUp, 1, new Fault("mpirun", 0, 0, "n1", "mpirun ended with code 213"));
        var status = RunStatus.Read(_run, Start.AddSeconds(40));
        Assert.Equal((RunState.Failed, 0, "mpirun ended with code 213"), (status.State, status.Step, status.LastFault!.Fault!.Message));
    }

    [Fact]
    public void ABeatOfAnyBytesIsNone()
    {
        Read(Began(0), Step(1, 3));
        Directory.CreateDirectory(Path.Combine(_run, "launch"));
        byte[] bytes = new byte[192];
        new Random(1).NextBytes(bytes);
        File.WriteAllBytes(Path.Combine(_run, "launch", "rank-00000.beat"), bytes);
        Assert.Equal(RunState.Gone, RunStatus.Read(_run, DateTimeOffset.UtcNow).State);
    }
}
