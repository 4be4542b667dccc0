using System.Text.Json;
using Uniscale.Telemetry;

namespace Uniscale.Cli.Tests.Commands;

public sealed class LaunchCommandTests : IDisposable
{
    private const int SegmentationFault = 128 + 11;

    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-cli-").FullName;
    private readonly string _file;

    public LaunchCommandTests()
    {
        _file = Path.Combine(_folder, "run.yaml");
        File.WriteAllText(
            _file,
            """
            model: { layers: 4, hidden: 64, heads: 4, vocabulary: 512, context: 64 }
            train: { steps: 3, threads: 3 }
            batch: { global: 16, micro: 1 }
            parallel: { pipeline: 2, data: 2 }
            """
        );
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_layout_gives_the_number_of_ranks_and_overrides_reach_them()
    {
        var (code, output, error) = CommandRun.Of("launch", _file, "--dry-run", "--set", "optimizer.lr=1e-4");
        Assert.True(code == 0, error);
        Assert.StartsWith("mpirun.mpich -n 4 ", output);
        Assert.Contains("-genv OMP_NUM_THREADS 3", output);
        Assert.EndsWith($"train {_file} --set optimizer.lr=1e-4", output.TrimEnd());
    }

    [Fact]
    public void Another_mpirun_is_started_when_it_is_named()
    {
        string output = CommandRun.Of("launch", _file, "--dry-run", "--mpirun", "mpirun.openmpi").Output;
        Assert.StartsWith("mpirun.openmpi -n 4 ", output);
        Assert.Contains("-x OMP_NUM_THREADS=3", output);
    }

    [Fact]
    public void Losses_are_those_of_threads_through_the_package_and_under_Open_MPI()
    {
        using var corpus = new SmallCorpus();
        string[] same = [corpus.In("base.yaml"), "--set", "parallel.tensor=2", "--set", "train.threads=1"];
        string[] Losses(string run) =>
            [
                .. File.ReadLines(corpus.In($"{run}/metrics.jsonl"))
                    .Select(line => JsonDocument.Parse(line).RootElement)
                    .Where(record => record.GetProperty("kind").GetString() == "step")
                    .Select(record => record.GetProperty("loss").GetRawText()),
            ];
        SmallCorpus.End(SmallCorpus.Start(["train", .. same, "--ranks", "4", "--set", $"run_directory={corpus.In("threads")}"]));
        foreach (
            var (mpirun, words) in new[]
            {
                ("mpirun.mpich", "MPICH .* through MPI.NET 1.4.0"),
                ("mpirun.openmpi", "Open MPI .* through direct calls"),
            }
        )
        {
            string said = SmallCorpus.End(
                SmallCorpus.Start(["launch", .. same, "-n", "4", "--mpirun", mpirun, "--set", $"run_directory={corpus.In(mpirun)}"])
            );
            Assert.Contains($"Starting 4 ranks with {mpirun} (", said);
            Assert.Matches(
                $"Ranks are processes that communicate by {words}",
                File.ReadAllText(TelemetryFactory.LogFile(corpus.In(mpirun), 0))
            );
            Assert.Equal(8, Losses(mpirun).Length);
            Assert.Equal(Losses("threads"), Losses(mpirun));
        }
    }

    /// <summary>Without other hosts the job cannot go on, and says so at once instead of spending its restarts.</summary>
    [Fact]
    public void A_node_that_multiplies_wrongly_is_named_before_a_step()
    {
        using var corpus = new SmallCorpus();
        var (code, _, error) = SmallCorpus.Uniscale(
            [],
            "launch",
            corpus.In("base.yaml"),
            "-n",
            "2",
            "--max-restarts",
            "5",
            "--set",
            "preflight.when=always",
            "--set",
            "faults.enabled=true",
            "--set",
            "faults.inject=[{ kind: wrong-gemm }]"
        );
        Assert.Equal(1, code);
        Assert.Matches(@"\nuniscale: the preflight refuses \S+: rank 1 multiplies matrices wrongly \(1 of 512 rows", error);
        Assert.Contains("the job cannot do without", File.ReadAllText(corpus.In("run/launch/events.jsonl")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_resumed_job_resumes_its_ranks() =>
        Assert.EndsWith(" --resume", CommandRun.Of("launch", _file, "--dry-run", "--resume").Output.TrimEnd());

    [Fact]
    public void Ranks_whose_launcher_is_killed_save_and_end()
    {
        using var corpus = new SmallCorpus();
        string[] arguments =
        [
            "launch",
            corpus.In("base.yaml"),
            "-n",
            "2",
            "--bind",
            "none",
            "--set",
            "train.steps=5000",
            "--set",
            "evaluation.every=0",
        ];
        string metrics = corpus.In("run/metrics.jsonl");
        var launcher = SmallCorpus.Start(arguments);
        SmallCorpus.Wait(() => File.Exists(metrics) && File.ReadAllText(metrics).Contains("\"step\":3,", StringComparison.Ordinal));
        launcher.Kill(); // SIGKILL, to the launcher alone
        launcher.WaitForExit();
        SmallCorpus.Wait(() => File.ReadAllText(metrics).Contains("\"kind\":\"end\"", StringComparison.Ordinal));
        // The last metrics are written before the ranks are gone, and only then the job counts as stopped.
        SmallCorpus.Wait(() => CommandRun.Of("status", corpus.In("run")).Output.Contains("stopped", StringComparison.Ordinal));
        Assert.Single(Directory.GetDirectories(corpus.In("run/checkpoints"), "step-*"));
        // The guards end last, and write down how.
        SmallCorpus.Wait(() => Directory.GetFiles(corpus.In("run/launch/attempt-0001"), "rank-*.exit").Length == 2);
    }

    /// <summary>Ranks that somebody started with other environments: refused before a step, whichever mpirun, and named.</summary>
    [Fact]
    public async Task Ranks_with_other_environments_do_not_train()
    {
        using var corpus = new SmallCorpus();
        File.AppendAllText(corpus.In("base.yaml"), "\noptimizer: { lr: \"${LR:-1e-3}\" }\n");
        string program = Path.Combine(AppContext.BaseDirectory, "uniscale");
        foreach (
            string[] mpirun in (string[][])
                [
                    ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "-n", "1", "-x", "LR=3e-3"],
                    ["mpirun.mpich", "-n", "1", "-env", "LR", "3e-3"],
                ]
        )
        {
            string[] train = [program, "train", corpus.In("base.yaml")];
            var start = new System.Diagnostics.ProcessStartInfo(mpirun[0], [.. mpirun[1..], .. train, ":", "-n", "1", .. train])
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            };
            using var job = System.Diagnostics.Process.Start(start)!;
            var output = job.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            string said = await job.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken) + await output;
            await job.WaitForExitAsync(TestContext.Current.CancellationToken);
            // That of Debian 13's Open MPI ends so itself, before any rank, where ranks are given different environments.
            if (job.ExitCode == SegmentationFault)
                continue;
            Assert.NotEqual(0, job.ExitCode);
            Assert.Contains("The ranks of this job were started differently: optimizer.lr is 0.003 on rank 0 (", said);
            Assert.False(File.Exists(corpus.In("run/metrics.jsonl")), said);
        }
    }

    /// <summary>In a step of one task, and with what another job left in the environment.</summary>
    [Theory]
    [InlineData("train --ranks 2", "SLURM_PROCID=0", "SLURM_STEP_NUM_TASKS=1", "SLURM_JOB_ID=7")]
    [InlineData("launch -n 2 --mpirun mpirun.mpich", "OMPI_COMM_WORLD_RANK=0", "OMPI_COMM_WORLD_SIZE=3", "OMPI_COMM_WORLD_LOCAL_RANK=0")]
    [InlineData("launch -n 2 --mpirun mpirun.openmpi", "PMI_RANK=1", "PMI_SIZE=3", "MPI_LOCALRANKID=1")]
    public void Variables_of_another_job_do_not_count(string command, params string[] variables)
    {
        using var corpus = new SmallCorpus();
        var (code, _, error) = SmallCorpus.Uniscale(
            Environment(variables),
            [command.Split(' ')[0], corpus.In("base.yaml"), .. command.Split(' ')[1..], "--set", "train.steps=2"]
        );
        Assert.True(code == 0, error);
        Assert.Contains("\"ranks\":2", File.ReadAllText(corpus.In("run/metrics.jsonl")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SLURM_JOB_ID=7")]
    [InlineData("PBS_NODEFILE=/gone")]
    public void An_allocation_that_is_none_is_refused_and_leaves_no_run(string variable)
    {
        using var corpus = new SmallCorpus();
        var (code, _, error) = SmallCorpus.Uniscale(Environment(variable), "launch", corpus.In("base.yaml"), "-n", "2");
        Assert.Equal(2, code);
        Assert.Contains(
            "where the variables are left over from another job, `unset ",
            Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(corpus.In("run")));
    }

    /// <summary>Slurm's srun and environment, as far as a dry run looks at them.</summary>
    [Fact]
    public void In_an_allocation_of_Slurm_srun_starts_the_ranks()
    {
        string bin = Directory.CreateDirectory(Path.Combine(_folder, "bin")).FullName,
            srun = Path.Combine(bin, "srun");
        File.WriteAllText(srun, "#!/bin/sh\necho slurm 22.05.8\n");
        System.Diagnostics.Process.Start("chmod", ["+x", srun]).WaitForExit();
        (string, string)[] Allocation(string tasks) =>
            [
                ("PATH", $"{bin}:{System.Environment.GetEnvironmentVariable("PATH")}"),
                ("SLURM_JOB_ID", "7"),
                ("SLURM_JOB_NODELIST", "n[1-3]"),
                ("SLURM_TASKS_PER_NODE", tasks),
                ("SLURM_CPUS_PER_TASK", "8"),
            ];
        var (code, output, error) = SmallCorpus.Uniscale(Allocation("2(x3)"), "launch", _file, "--dry-run");
        Assert.True(code == 0, error);
        Assert.StartsWith("srun --ntasks=4 --distribution=arbitrary ", output, StringComparison.Ordinal);
        Assert.Contains(" --mpi=pmi2 --cpus-per-task=8 ", output, StringComparison.Ordinal);
        // As many as the job has tasks, where the layout leaves it open.
        Assert.StartsWith(
            "srun --ntasks=6 ",
            SmallCorpus
                .Uniscale(Allocation("2(x3)"), "launch", _file, "--dry-run", "--set", "parallel.data=0", "--set", "batch.global=24")
                .Output,
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "mpirun.mpich ",
            SmallCorpus.Uniscale(Allocation("2(x3)"), "launch", _file, "--dry-run", "--mpirun", "mpirun.mpich").Output,
            StringComparison.Ordinal
        );
        (code, _, error) = SmallCorpus.Uniscale(Allocation("1(x3)"), "launch", _file, "--dry-run");
        Assert.Equal(
            (
                2,
                "uniscale: The layout has 4 ranks, but job 7 of Slurm has 3 tasks on 3 nodes: ask for more (--nodes, --ntasks-per-node), or give -n and a layout that fits."
            ),
            (code, error.Trim())
        );
        Assert.Contains(
            "--mpirun srun starts ranks in an allocation of Slurm, and this shell is in none",
            CommandRun.Refused("launch", _file, "--mpirun", "srun"),
            StringComparison.Ordinal
        );
    }

    private static (string, string)[] Environment(params string[] variables) =>
        [.. variables.Select(text => text.Split('=')).Select(pair => (pair[0], pair[1]))];

    [Theory]
    [InlineData("--host-faults 0", "--host-faults 0 is not a number of faults: give 1 or more.")]
    [InlineData("-n 3", "3")]
    [InlineData("-n -1", "-n -1 is not a number of ranks")]
    [InlineData("--hosts nowhere", "The host file nowhere does not exist")]
    public void What_cannot_be_is_the_users_error(string options, string sentence)
    {
        var (code, _, error) = CommandRun.Of(["launch", _file, .. options.Split(' '), "--set", $"run_directory={_folder}/run"]);
        Assert.Equal(2, code);
        Assert.Contains(sentence, error);
    }
}
