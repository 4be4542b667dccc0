using System.Diagnostics;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Supervision;
using Uniscale.Launching.Tests.Processes;

namespace Uniscale.Launching.Tests.Supervision;

/// <summary>Whole jobs that break in the middle, under every mpirun where it is mpirun that might differ.</summary>
public sealed class SupervisorTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-supervised-").FullName;
    private readonly List<string> _said = [];
    private readonly Transcript _output = new();

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _output.Dispose();
    }

    private LaunchResult Run(string scenario, int maxRestarts, int breaksInAttempts, JobShape? shape = null, string? mpirun = null) =>
        Job(scenario, maxRestarts, breaksInAttempts, shape, mpirun).Run();

    private Supervisor Job(string scenario, int maxRestarts, int breaksInAttempts, JobShape? shape = null, string? mpirun = null) =>
        new(
            new SupervisionOptions
            {
                Folder = _folder,
                Shape = shape,
                MaxRestarts = maxRestarts,
                MaxSameFault = 2,
                RestartDelay = TimeSpan.Zero,
                Hang = new HangLimits { Minimum = TimeSpan.FromSeconds(6), Start = TimeSpan.FromSeconds(scenario == "late" ? 4 : 120) },
            },
            attempt => new LaunchOptions
            {
                Mpirun = mpirun,
                Ranks = shape?.Ranks ?? 2,
                HostFile = shape?.HostFile,
                Program = [MpiLauncherTests.RankProgram()],
                Arguments = ["steps", attempt <= breaksInAttempts ? scenario : "end"],
                Output = _output,
                Error = _output,
                Grace = TimeSpan.Zero,
            },
            _said.Add
        );

    private IReadOnlyList<JobEventKind> Events() => [.. EventLog.Read(_folder).Select(entry => entry.Kind)];

    [Theory]
    [MemberData(nameof(MpiLauncherTests.EveryMpirun), MemberType = typeof(MpiLauncherTests))]
    public void AKilledRankIsNamedAndTheJobGoesOn(string mpirun)
    {
        var result = Run("kill", maxRestarts: 2, breaksInAttempts: 1, mpirun: mpirun);
        Assert.Equal(0, result.ExitCode);
        Assert.Matches(
            @"^rank 1 on \S+ failed first: it was ended by signal 9 \(Killed\)\. Starting again from the newest checkpoint \(1 of 2 restarts\)\.$",
            Assert.Single(_said)
        );
        Assert.Equal([JobEventKind.Started, JobEventKind.Fault, JobEventKind.Restarted, JobEventKind.Finished], Events());
        Assert.Equal(5, EventLog.Read(_folder)[1].Step);
    }

    [Theory]
    [MemberData(nameof(MpiLauncherTests.EveryMpirun), MemberType = typeof(MpiLauncherTests))]
    public void RanksThatOutliveMpirunAreEndedBeforeTheJobGoesOn(string mpirun)
    {
        var result = Run("abandon", maxRestarts: 2, breaksInAttempts: 1, mpirun: mpirun);
        Assert.Equal(0, result.ExitCode);
        // MPICH's daemons may be quicker to end them.
        if (_said.Count > 1)
            Assert.Matches("^mpirun was gone before [12] of its ranks; they have been ended\\.$", _said[0]);
        Assert.StartsWith("mpirun was ended by signal 9 (Killed). Starting again", _said[^1], StringComparison.Ordinal);
        Assert.All(
            Heartbeat.ReadAll(Supervisor.AttemptFolder(_folder, 1)),
            beat => Assert.False(Directory.Exists($"/proc/{beat.ProcessId}") && IsRunning(beat.ProcessId))
        );
    }

    /// <summary>Open MPI's shared memory stays when its processes are killed; MPICH's has no name by then.</summary>
    [Theory]
    [MemberData(nameof(MpiLauncherTests.EveryMpirun), MemberType = typeof(MpiLauncherTests))]
    public void KilledRanksLeaveNoSharedMemory(string mpirun)
    {
        Run("slaughter", maxRestarts: 0, breaksInAttempts: 1, mpirun: mpirun);
        string[] names =
        [
            .. Directory
                .GetFiles(Supervisor.AttemptFolder(_folder, 1), "rank-*.shm")
                .SelectMany(File.ReadLines)
                .Select(line => line.Split(' ')[1]),
        ];
        Assert.Equal(mpirun == "mpirun.openmpi", names.Length > 0);
        Assert.All(names, name => Assert.False(File.Exists($"/dev/shm/{name}"), name));
    }

    /// <summary>A launcher that was killed could not look: the next one of the run does, and leaves what others still have.</summary>
    [Fact]
    public void TheNextLaunchRemovesWhatAKilledOneLeft()
    {
        string old = Directory.CreateDirectory(Supervisor.AttemptFolder(_folder, 3)).FullName;
        string[] names = [.. ((string[])["left", "used", "elsewhere"]).Select(name => $"uniscale-test-{Path.GetFileName(_folder)}-{name}")];
        foreach (string name in names)
            File.WriteAllText($"/dev/shm/{name}", "segment");
        File.WriteAllLines(
            Path.Combine(old, "rank-00000.shm"),
            [
                $"{Environment.MachineName} {names[0]}",
                $"{Environment.MachineName} {names[1]}",
                $"n0 {names[2]}",
                $"{Environment.MachineName} ../{names[2]}",
            ]
        );
        using (var used = System.IO.MemoryMappedFiles.MemoryMappedFile.CreateFromFile($"/dev/shm/{names[1]}"))
        using (used.CreateViewAccessor())
            Assert.Equal(0, Run("end", maxRestarts: 0, breaksInAttempts: 0).ExitCode);
        Assert.Equal([false, true, true], names.Select(name => File.Exists($"/dev/shm/{name}")));
        foreach (string name in names)
            File.Delete($"/dev/shm/{name}");
    }

    private static bool IsRunning(int process) => !File.ReadAllText($"/proc/{process}/stat").Contains(") Z ", StringComparison.Ordinal);

    [Theory]
    [InlineData("sleep", @"rank 1 on \S+ did not come to operation 6 of group world")]
    [InlineData("freeze", @"rank 1 on \S+ \(process \d+\) has not run for \d+ s")]
    public void AHangIsFoundAndTheRankNamed(string scenario, string sentence)
    {
        var watch = Stopwatch.StartNew();
        var result = Run(scenario, maxRestarts: 0, breaksInAttempts: 1);
        Assert.Equal((1, "hang", 1), (result.ExitCode, result.First!.Kind, result.First.Rank));
        Assert.Matches(sentence, result.First.ToString());
        Assert.InRange(watch.Elapsed.TotalSeconds, 6, 30);
        Assert.Equal(2, EventLog.Read(_folder).First(entry => entry.Kind == JobEventKind.Fault).Details!.Count);
    }

    /// <summary>A stop of a job whose ranks are loading, or that do not end in time.</summary>
    [Theory]
    [InlineData("load", 0, "Stopped before training began; there was nothing to save.", JobEventKind.Stopped)]
    [InlineData(
        "outlast",
        1,
        "the ranks had not saved and ended 0 s after they were asked to (--grace) and were ended; what they did since the newest checkpoint is lost",
        JobEventKind.GivenUp
    )]
    public async Task AStopEndsWhatHasNothingToSaveAndNamesWhatIsLost(string scenario, int code, string sentence, JobEventKind end)
    {
        var job = Job(scenario, maxRestarts: 2, breaksInAttempts: 1);
        var ran = Task.Run(job.Run, TestContext.Current.CancellationToken);
        string folder = Supervisor.AttemptFolder(_folder, 1);
        bool HasCome() =>
            Directory.Exists(folder) && Heartbeat.ReadAll(folder) is [_, _] beats && beats.All(beat => scenario == "load" || beat.Step > 0);
        Assert.True(SpinWait.SpinUntil(HasCome, TimeSpan.FromSeconds(60)), _output.ToString());
        job.Stop();
        var result = await ran;
        Assert.Equal((code, true), (result.ExitCode, result.WasStopped));
        Assert.Contains(sentence, code == 0 ? Assert.Single(_said) : result.First!.ToString(), StringComparison.Ordinal);
        Assert.Equal([JobEventKind.Started, .. code == 0 ? (JobEventKind[])[] : [JobEventKind.Fault], end], Events());
    }

    /// <summary>
    /// Slurm signals the ranks at a pre-emption, and not their launcher: they save and end in order, but the run is not done.
    /// </summary>
    [Fact]
    public void RanksThatSomebodyElseAskedToEndHaveNotFinished()
    {
        var job = Job("asked", maxRestarts: 2, breaksInAttempts: 1);
        var result = job.Run();
        Assert.Equal((0, true), (result.ExitCode, result.WasStopped));
        Assert.NotNull(result.Requeue);
        Assert.Null(job.TellRequeue(result.Requeue));
        Assert.Equal([JobEventKind.Started, JobEventKind.Stopped, JobEventKind.Requeued], Events());
        Assert.Null(Run("end", maxRestarts: 0, breaksInAttempts: 0).Requeue);
        Assert.NotNull(Run("kill", maxRestarts: 0, breaksInAttempts: 1).Requeue);
    }

    [Fact]
    public void AnElasticJobGoesOnWithoutTheRankThatIsLost()
    {
        // The scenario breaks rank 1, so a job of one rank ends in order.
        var shape = new JobShape(new RunConfiguration(), 2, isElastic: true, hostFile: null, hostFaults: 2, _folder);
        Assert.Equal(0, Run("kill", maxRestarts: 5, breaksInAttempts: 20, shape).ExitCode);
        Assert.Equal(1, shape.Ranks);
        Assert.Equal(2, _said.Count);
        Assert.EndsWith(
            "(Killed). Going on with 1 of 2 replicas (1 of 2 ranks) at the same global batch. Starting again from the newest checkpoint (2 of 5 restarts).",
            _said[^1],
            StringComparison.Ordinal
        );
        Assert.Equal(JobEventKind.Finished, Events()[^1]);
    }

    [Fact]
    public void AJobThatCannotShrinkSaysWhy()
    {
        var whole = new RunConfiguration { Parallel = new ParallelSection { Tensor = 2 } };
        Assert.Equal(
            1,
            Run(
                "kill",
                maxRestarts: 5,
                breaksInAttempts: 20,
                new JobShape(whole, 2, isElastic: true, hostFile: null, hostFaults: 2, _folder)
            ).ExitCode
        );
        Assert.EndsWith(
            "starting again will not help, and the layout cannot shrink: one replica (tensor 2 × pipeline 1 × context 1) needs 2 ranks, and 1 are left",
            EventLog.Read(_folder)[^1].Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TheSameFaultAtTheSameStepIsNotTriedForEver()
    {
        var result = Run("kill", maxRestarts: 20, breaksInAttempts: 20);
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(JobEventKind.GivenUp, Events()[^1]);
        Assert.Contains(
            "the same fault (signal 9) has come back 2 times at step 5",
            EventLog.Read(_folder)[^1].Message,
            StringComparison.Ordinal
        );
        Assert.Single(_said);
    }

    [Theory]
    [MemberData(nameof(MpiLauncherTests.EveryMpirun), MemberType = typeof(MpiLauncherTests))]
    public void ARankThatDoesNotComeIsNamedAtALimitOfItsOwn(string mpirun)
    {
        var result = Run("late", maxRestarts: 0, breaksInAttempts: 1, mpirun: mpirun);
        Assert.Equal((1, "start", 1, Environment.MachineName), (result.ExitCode, result.First!.Kind, result.First.Rank, result.First.Host));
        Assert.Matches(
            @"of 2 ranks did not join the job within 4 s \(--start-seconds\): rank 1 began on \S+ and did not come to MPI's start",
            result.First.ToString()
        );
        Assert.Equal(result.First.Message, EventLog.Read(_folder).First(entry => entry.Kind == JobEventKind.Fault).Message);
    }

    [Theory]
    [MemberData(nameof(MpiLauncherTests.EveryMpirun), MemberType = typeof(MpiLauncherTests))]
    public void AKilledRankCountsAgainstItsHost(string mpirun)
    {
        string hosts = Path.Combine(_folder, "all-hosts");
        // In Open MPI's way, which MPICH does not read.
        File.WriteAllText(hosts, $"{Environment.MachineName} slots=2\n");
        var shape = new JobShape(new RunConfiguration(), 2, isElastic: false, hosts, hostFaults: 2, _folder);
        Assert.Equal(0, Run("kill", maxRestarts: 1, breaksInAttempts: 1, shape, mpirun).ExitCode);
        Assert.Equal(1, new FailingHosts(_folder)[Environment.MachineName]);
    }
}
