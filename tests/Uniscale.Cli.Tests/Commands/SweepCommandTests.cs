using System.Diagnostics;
using static Uniscale.Cli.Tests.SmallCorpus;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>Sweeps as a user starts them, in processes of their own: they are killed here.</summary>
public sealed class SweepCommandTests : IDisposable
{
    private readonly SmallCorpus _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Theory]
    [InlineData(4)]
    [InlineData(12)]
    public void A_sweep_that_is_killed_and_resumed_gives_the_table_of_an_unbroken_one(int runs)
    {
        if (runs > 4)
            Nightly.Only();
        End(Sweep(OfRuns(runs, "whole")));
        Assert.Equal(runs + 1, File.ReadAllLines(In("whole/table.csv")).Length);

        string file = OfRuns(runs, "killed");
        var sweep = Sweep(file);
        List<Process> children = [];
        // Between two runs there is none.
        Wait(() => Directory.Exists(In("killed/run-0003")) && (children = Children(sweep)).Count > 0);
        sweep.Kill(); // SIGKILL, to the sweep alone
        sweep.WaitForExit();
        // No run goes on without its sweep.
        Wait(() => children.TrueForAll(child => child.HasExited));
        var done = Directory
            .GetFiles(In("killed"), "output.log", SearchOption.AllDirectories)
            .Where(log => HasFinished(Path.GetDirectoryName(log)!))
            .ToDictionary(log => log, File.ReadAllText);
        Assert.NotEmpty(done);

        End(Sweep(file));
        Assert.Equal(File.ReadAllText(In("whole/table.csv")), File.ReadAllText(In("killed/table.csv")));
        Assert.All(done, log => Assert.Equal(log.Value, File.ReadAllText(log.Key)));
        Assert.Contains("<svg", File.ReadAllText(In("killed/sweep.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_job_is_a_row_with_its_sentence()
    {
        string file = Write(
            "failing",
            "metric: training\nlist: [{ optimizer.lr: 1e-3 }, { data.sources: '[{ name: corpus, shards: [gone] }]' }]"
        );
        End(Sweep(file));
        string[] lines = File.ReadAllLines(In("failing/table.csv"));
        Assert.StartsWith("1,run-0001,finished,8,", lines[1], StringComparison.Ordinal);
        Assert.Matches(@"^,run-0002,failed,0,.*gone\.bin does not exist", lines[2]);
    }

    [Fact]
    public void A_killed_run_starts_again_from_its_checkpoint_and_others_do_not_notice()
    {
        End(
            Sweep(Write("whole", "set: { train.steps: 300, checkpoint.every: 50 }\nlist: [{ optimizer.lr: 1e-3 }, { optimizer.lr: 2e-3 }]"))
        );
        var sweep = Sweep(
            Write("broken", "set: { train.steps: 300, checkpoint.every: 50 }\nlist: [{ optimizer.lr: 1e-3 }, { optimizer.lr: 2e-3 }]")
        );
        Wait(() => Directory.Exists(In("broken/run-0002/checkpoints")));
        Children(sweep)[0].Kill();
        Assert.Contains("it was ended by signal 9. Starting again from its newest checkpoint.", End(sweep), StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(In("whole/table.csv")), File.ReadAllText(In("broken/table.csv")));
    }

    [Fact]
    public void Halving_takes_runs_from_rung_to_rung()
    {
        End(Sweep(Write("halving", "stop: { rule: halving, after: 2 }\ngrid: { optimizer.lr: [1e-5, 1e-4, 1e-3, 1e-2] }")));
        string[] rows = File.ReadAllLines(In("halving/table.csv"))[1..];
        Assert.Equal(["run-0004,finished,8", "run-0003,stopped,4"], rows[..2].Select(row => string.Join(',', row.Split(',')[1..4])));
        Assert.All(rows[2..], row => Assert.Contains(",stopped,2,", row, StringComparison.Ordinal));
    }

    [Fact]
    public void Another_sweep_in_the_same_place_is_refused()
    {
        End(Sweep(Write("one", "list: [{}]")));
        var (code, _, error) = CommandRun.Of("sweep", Write("one", "list: [{}, {}]"));
        Assert.Equal(2, code);
        Assert.Contains("holds a sweep with other runs or another rule", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dry_run_lists_the_runs_and_starts_nothing()
    {
        var (code, output, error) = CommandRun.Of("sweep", OfRuns(12, "dry"), "--dry-run", "--jobs", "3");
        Assert.True(code == 0, error);
        Assert.Contains("run-0012  optimizer.lr=8e-3 model.hidden=32", output, StringComparison.Ordinal);
        Assert.Contains("12 runs, 3 side by side", output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(In("dry")));
    }

    [Fact]
    public void Devices_are_divided_among_the_runs_and_a_dry_run_shows_it()
    {
        string file = Write("devices", "ranks: 2\ndevices: [0, 1, 2, 3]\nlist: [{}, {}, {}]");
        string output = CommandRun.Ok("sweep", file, "--dry-run");
        Assert.EndsWith(
            $"3 runs, 2 side by side, in {In("devices")}\n  CUDA_VISIBLE_DEVICES=0,1\n  CUDA_VISIBLE_DEVICES=2,3\n",
            output,
            StringComparison.Ordinal
        );
        Assert.Contains("--jobs 3 asks for more", CommandRun.Refused("sweep", file, "--jobs", "3"), StringComparison.Ordinal);
    }

    /// <summary>Tasks of job arrays are started by hand here, as Slurm would: a queue that remembers, and one that is asked.</summary>
    [Fact]
    public void A_sweep_of_job_arrays_gives_the_table_of_one_on_this_machine()
    {
        const string rest = "stop: { rule: halving, after: 2, factor: 3 }\ngrid: { optimizer.lr: [1e-5, 1e-3, 1e-2] }";
        End(Sweep(Write("whole", rest)));
        string bin = In("bin"),
            file = Write("array", rest);
        Directory.CreateDirectory(bin);
        foreach (
            var (name, script) in new[]
            {
                ("sbatch", """echo "$*" >>"$0.log"; wc -l <"$0.log" """),
                ("squeue", "printf '1_1 RUNNING\\n1_2 RUNNING\\n1_3 PENDING\\n'"),
            }
        )
        {
            File.WriteAllText(Path.Combine(bin, name), $"#!/bin/sh\n{script}\n");
            Process.Start("chmod", ["+x", Path.Combine(bin, name)]).WaitForExit();
        }
        string Run(params (string, string)[] variables)
        {
            string[] how = variables.Length > 0 ? ["--task"] : ["--submit", "slurm"];
            var (code, output, error) = SmallCorpus.Uniscale(
                [.. variables, ("PATH", $"{bin}:{Environment.GetEnvironmentVariable("PATH")}")],
                ["sweep", file, .. how]
            );
            Assert.True(code == 0, error);
            return output;
        }
        string Task(int job, int task) => Run(("SLURM_ARRAY_JOB_ID", $"{job}"), ("SLURM_ARRAY_TASK_ID", $"{task}"));

        Assert.Contains("3 runs are queued as job 1: run-0001, run-0002, run-0003.", Run(), StringComparison.Ordinal);
        Task(1, 2);
        Task(1, 3);
        Assert.Single(File.ReadAllLines(In("bin/sbatch.log")));
        Assert.Contains("1 run is queued as job 2: run-0003.", Task(1, 1), StringComparison.Ordinal);
        Assert.Contains("--array=3 ", File.ReadAllLines(In("bin/sbatch.log"))[1], StringComparison.Ordinal);
        Assert.False(File.Exists(In("array/table.csv")));
        Task(2, 3);
        Assert.Equal(File.ReadAllText(In("whole/table.csv")), File.ReadAllText(In("array/table.csv")));
        Assert.Contains("table.csv, table.json and sweep.html", Run(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_queued_is_refused()
    {
        string file = Write("refused", "list: [{}]");
        Assert.Contains(
            "--submit pbs is no batch system: give slurm.",
            CommandRun.Refused("sweep", file, "--submit", "pbs"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "--task is for the tasks of `uniscale sweep SWEEP --submit slurm`",
            CommandRun.Refused("sweep", file, "--task"),
            StringComparison.Ordinal
        );
        Assert.Contains("exec ", CommandRun.Ok("sweep", file, "--submit", "slurm", "--dry-run"), StringComparison.Ordinal);
        Assert.False(Directory.Exists(In("refused")));
    }

    private string OfRuns(int count, string name)
    {
        string[] rates = ["1e-3", "2e-3", "3e-3", "4e-3", "6e-3", "8e-3"];
        return Write(name, $"grid: {{ optimizer.lr: [{string.Join(", ", rates[..(count / 2)])}], model.hidden: [16, 32] }}");
    }

    private string Write(string name, string rest)
    {
        File.WriteAllText(In($"{name}.yaml"), $"base: base.yaml\ndirectory: {In(name)}\ncores: 2\n{rest}\n");
        return In($"{name}.yaml");
    }

    private string In(string path) => _corpus.In(path);

    private static Process Sweep(string file) => SmallCorpus.Start("sweep", file);

    /// <summary>
    /// Whether a run's record says that it is done, which its log says a moment before: a run that is killed in between goes on when the
    /// sweep does.
    /// </summary>
    private static bool HasFinished(string run)
    {
        string record = Path.Combine(run, "metrics.jsonl");
        return File.Exists(record) && File.ReadAllText(record).Contains("\"finished\":true", StringComparison.Ordinal);
    }

    private static List<Process> Children(Process parent)
    {
        string children = File.ReadAllText($"/proc/{parent.Id}/task/{parent.Id}/children");
        return
        [
            .. children
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(id => Process.GetProcessById(int.Parse(id, System.Globalization.CultureInfo.InvariantCulture))),
        ];
    }
}
