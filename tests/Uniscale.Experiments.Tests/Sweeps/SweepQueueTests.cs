using Uniscale.Experiments.Sweeps;
using Uniscale.Launching.Slurm;

namespace Uniscale.Experiments.Tests.Sweeps;

/// <summary>A sweep over job arrays, with a queue that only remembers and runs that only leave curves.</summary>
public sealed class SweepQueueTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-queue-").FullName;
    private readonly SweepPlan _plan;
    private readonly Queue _slurm = new();

    public SweepQueueTests() =>
        _plan = new(
            new SweepConfiguration
            {
                Name = "s",
                Metric = SweepMetric.Training,
                Stop = new() { Rule = StoppingKind.Halving, After = 2 },
                Slurm = ["--partition=long"],
            },
            "base.yaml",
            _folder,
            [.. Enumerable.Range(0, 4).Select(run => new SweepRun(run, [], [], Path.Combine(_folder, SweepRun.NameOf(run)), "", 8))]
        );

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private bool Advance(string? ended = null) =>
        new SweepQueue(_plan, new SweepRunner(_plan, [], _ => { }, only: 0), _slurm, _ => { }).Advance(
            ["/bin/uniscale", "sweep", "my sweep.yaml", "--task"],
            SweepQueue.Options(_plan, "/work dir"),
            sideBySide: 3,
            ended
        );

    /// <summary>A run comes to a step, with a loss that is its number.</summary>
    private void Reach(int run, int step)
    {
        Directory.CreateDirectory(_plan.Runs[run].Directory);
        string end = step == 8 ? """{"kind":"end","finished":true}""" + "\n" : "";
        File.WriteAllText(
            Path.Combine(_plan.Runs[run].Directory, "metrics.jsonl"),
            """{"kind":"start","total_steps":8}"""
                + "\n"
                + string.Concat(Enumerable.Range(1, step).Select(i => $$"""{"kind":"step","step":{{i}},"loss":{{run + 1}}}""" + "\n"))
                + end
        );
    }

    [Fact]
    public void TheLastAtARungQueuesThoseThatGoOn()
    {
        Assert.False(Advance());
        Assert.Contains("--array=1,2,3,4%3", _slurm.Submitted[0]);
        foreach (int run in (int[])[0, 1, 2])
        {
            Reach(run, 2);
            Assert.False(Advance($"1_{run + 1}"));
        }
        Assert.Single(_slurm.Submitted);
        Reach(3, 2);
        Assert.False(Advance("1_4"));
        Assert.Contains("--array=1,2%3", _slurm.Submitted[1]);
        Reach(0, 4);
        Advance("2_1");
        Reach(1, 4);
        Assert.False(Advance("2_2"));
        Assert.Contains("--array=1%3", _slurm.Submitted[2]);
        Reach(0, 8);
        Assert.True(Advance("3_1"));
        Assert.Equal(3, _slurm.Submitted.Count);
    }

    [Fact]
    public void WhatWasCancelledIsQueuedAgainAndNothingTwice()
    {
        Advance();
        Reach(2, 2);
        Advance("1_3");
        Advance();
        Assert.Single(_slurm.Submitted);
        // Slurm does not answer: nothing is known.
        _slurm.Live = null;
        Advance();
        Assert.Single(_slurm.Submitted);
        _slurm.Live = ["1_2"];
        Advance();
        Assert.Contains("--array=1,4%3", _slurm.Submitted[1]);
    }

    [Fact]
    public void TheScriptIsOneLineAndTheFilesOptionsCount()
    {
        Advance();
        Assert.EndsWith(
            "\nexec /bin/uniscale sweep 'my sweep.yaml' --task\n",
            File.ReadAllText(Path.Combine(_folder, "sweep.sbatch")),
            StringComparison.Ordinal
        );
        Assert.Equal(["--job-name=s", "--chdir=/work dir"], _slurm.Submitted[0][..2]);
        Assert.Contains("--partition=long", _slurm.Submitted[0]);
        Assert.Contains("--requeue", _slurm.Submitted[0]);
        var processes = _plan with { Sweep = _plan.Sweep with { Processes = true, Ranks = 4, Threads = 2 } };
        Assert.Equal(
            ["--ntasks=4", "--cpus-per-task=2"],
            SweepQueue
                .Options(processes, "/")
                .Where(option =>
                    option.Contains("task", StringComparison.Ordinal) && !option.StartsWith("--output", StringComparison.Ordinal)
                )
        );
    }

    private sealed class Queue : ISlurmQueue
    {
        private HashSet<string>? _live = [];

        public List<string[]> Submitted { get; } = [];

        public string[]? Live
        {
            set => _live = value is null ? null : [.. value];
        }

        public string Submit(IReadOnlyList<string> arguments)
        {
            Submitted.Add([.. arguments]);
            string array = arguments
                .Single(argument => argument.StartsWith("--array=", StringComparison.Ordinal))["--array=".Length..]
                .Split('%')[0];
            foreach (string task in array.Split(','))
                _live!.Add($"{Submitted.Count}_{task}");
            return $"{Submitted.Count}";
        }

        public IReadOnlySet<string>? LiveTasks() => _live;
    }
}
