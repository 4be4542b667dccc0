using System.Diagnostics;
using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Experiments.Benchmarks;
using Uniscale.Kernels.Cpu;
using Uniscale.Launching.Processes;
using Uniscale.Planning.Clusters;
using Uniscale.Programs;
using Uniscale.Telemetry;

namespace Uniscale.Cli.Planning;

/// <summary>
/// Measures this machine: peaks, bandwidth, and training runs of small layouts, each in processes of its own, to which the planner's
/// constants are fitted. The layouts are measured in turn and that several times, so that what else the machine does falls on all of them
/// alike.
/// </summary>
/// <param name="precision">fp32 or bf16.</param>
/// <param name="threads">Threads of a rank.</param>
/// <param name="steps">Measured steps of each layout in a round.</param>
/// <param name="rounds">Times that all layouts are measured.</param>
/// <param name="say">Told what is being measured.</param>
internal sealed class Calibration(PrecisionKind precision, int threads, int steps, int rounds, Action<string> say)
{
    private const int Vocabulary = 8192,
        Documents = 64,
        DocumentTokens = 2048;

    private const string Shard = "random";

    private static readonly TimeSpan PeakDuration = TimeSpan.FromMilliseconds(200);

    /// <summary>Layouts of one and two ranks that between them vary every term of the costs.</summary>
    private static readonly Trial[] Layouts =
    [
        new("small", Model(2, 128, 2, 64) + "batch: { global: 4, micro: 4 }\n", 1),
        new("wide", Model(2, 512, 4, 128) + "batch: { global: 4, micro: 4 }\n", 1),
        new("long", Model(2, 256, 4, 1024) + "batch: { global: 2, micro: 1 }\n", 1),
        new("deep", Model(8, 256, 4, 128) + "batch: { global: 8, micro: 2 }\n", 1),
        new("thin", Model(4, 384, 6, 128) + "batch: { global: 8, micro: 1 }\n", 1),
        new("recomputed", Model(4, 384, 6, 256) + "batch: { global: 4, micro: 2 }\nparallel: { recompute: block }\n", 1),
        new("data", Model(4, 384, 6, 128) + "batch: { global: 8, micro: 4 }\nparallel: { data: 2 }\n", 2),
        new("tensor", Model(4, 384, 6, 256) + "batch: { global: 4, micro: 4 }\nparallel: { tensor: 2 }\n", 2),
        new("pipeline", Model(6, 256, 4, 128) + "batch: { global: 16, micro: 2 }\nparallel: { pipeline: 2 }\n", 2),
    ];

    /// <summary>A layout to measure.</summary>
    private sealed record Trial(string Name, string Yaml, int Ranks, bool Threads = true);

    /// <summary>Measures; the cluster file of this machine.</summary>
    public ClusterFile Run()
    {
        var type = precision == PrecisionKind.Bf16 ? KernelType.BFloat16 : KernelType.Float32;
        double peak = PeakSpeed.Flops(type, threads, PeakDuration),
            copy = PeakSpeed.CopyBandwidth(threads);
        say($"peak {peak / 1e9:N0} GFLOP/s and copies at {copy / 1e9:N1} GB/s with {threads} {(threads == 1 ? "thread" : "threads")}");
        int ranks = Math.Max(1, Environment.ProcessorCount / threads);
        var measured = Measure([.. Layouts.Where(layout => layout.Ranks <= ranks), .. ranks < 2 ? [] : OfProcesses()]);
        string processor = Machine.Processor().Replace('"', '\'');
        string source =
            $"measured by uniscale plan calibrate, {DateTime.Now.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}, {processor}";
        Figure Of(double value) => new() { Value = value.ToString("G6", CultureInfo.InvariantCulture), Source = source };
        var machine = new ClusterFile
        {
            Name = "this-machine",
            Summary = $"{processor}, {threads} threads a rank, {(precision == PrecisionKind.Bf16 ? "bf16" : "fp32")}",
            Chip = new ChipSection
            {
                Name = $"{threads} threads of {processor}",
                PeakBf16 = precision == PrecisionKind.Bf16 ? Of(peak) : new(),
                PeakFp32 = precision == PrecisionKind.Fp32 ? Of(peak) : new(),
                Memory = Of(HostMemory.Limit().Bytes),
                MemoryBandwidth = Of(copy),
            },
            Node = new NodeSection { Gpus = Of(ranks), LinkBandwidth = Of(copy / 2) },
            Fabric = new FabricSection { Gpus = Of(ranks) },
            Stacks = [new StackSection { Name = "uniscale", Source = source }],
        };
        return MachineFit.Of(machine, measured, source);
    }

    private static string Model(int layers, int hidden, int heads, int context) =>
        $"name: calibration\nmodel: {{ layers: {layers}, hidden: {hidden}, heads: {heads}, context: {context}, vocabulary: {Vocabulary} }}\n";

    /// <summary>The layouts of two ranks once more as processes; none where there is no mpirun.</summary>
    private IEnumerable<Trial> OfProcesses()
    {
        try
        {
            _ = Mpirun.Find();
        }
        catch (UserErrorException missing)
        {
            say($"ranks as processes are not measured: {missing.Message}");
            return [];
        }
        return Layouts.Where(layout => layout.Ranks == 2).Select(layout => layout with { Name = $"{layout.Name} (MPI)", Threads = false });
    }

    private MeasuredLayout[] Measure(Trial[] trials)
    {
        var seen = trials.Select(_ => new List<MeasuredRun>()).ToArray();
        string folder = Directory.CreateTempSubdirectory("uniscale-calibration-").FullName;
        try
        {
            WriteTokens(folder);
            for (int round = 0; round < rounds; round++)
                for (int i = 0; i < trials.Length; i++)
                    seen[i].Add(Train(trials[i], folder, Path.Combine(folder, $"run-{i}-{round}")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        return [.. trials.Select((trial, i) => Measured(trial, seen[i]))];
    }

    private MeasuredLayout Measured(Trial trial, List<MeasuredRun> runs)
    {
        double[] seconds = [.. runs.Select(run => run.Seconds)];
        double median = Statistics.Median(seconds);
        say($"{trial.Name}: {median * 1e3:N1} ms a step (rounds {seconds.Min() * 1e3:N1} to {seconds.Max() * 1e3:N1})");
        var heaviest = runs.MaxBy(run => run.PeakBytes)!;
        return new MeasuredLayout(
            trial.Name,
            SpecificationBuilder.Build(ConfigurationLoader.Parse(Yaml(trial)).Value, trial.Ranks),
            trial.Threads,
            median,
            heaviest.PeakBytes,
            heaviest.Heaviest
        );
    }

    /// <summary>What the tokens are does not matter to the speed.</summary>
    private static void WriteTokens(string folder)
    {
        using var shard = new ShardWriter(Path.Combine(folder, Shard), Vocabulary);
        var random = new Random(1);
        int[] document = new int[DocumentTokens];
        for (int number = 0; number < Documents; number++)
        {
            foreach (ref int token in document.AsSpan())
                token = random.Next(Vocabulary);
            shard.Add(document);
        }
        shard.Complete();
    }

    private string Yaml(Trial trial) =>
        trial.Yaml
        + $"train: {{ steps: {MeasuredRun.Warmup + steps}, threads: {threads}, "
        + $"precision: {(precision == PrecisionKind.Bf16 ? "bf16" : "fp32")} }}\n"
        + $"data: {{ sources: [{{ name: random, domain: random, shards: [ {Shard} ] }}] }}\n"
        + "logging: { tensor_board: false }\n";

    /// <summary>Processes of its own have the memory of its layout alone.</summary>
    private MeasuredRun Train(Trial trial, string folder, string run)
    {
        string file = Path.Combine(folder, "trial.yaml");
        File.WriteAllText(file, Yaml(trial));
        List<string> arguments = ["train", file, "--set", $"run_directory={run}"];
        if (trial.Threads)
            arguments.AddRange(["--ranks", Text(trial.Ranks)]);
        _ = Output(
            folder,
            trial.Threads
                ? [.. MpiLauncher.ThisExecutable(), .. arguments]
                : MpiLauncher.CommandLine(
                    new LaunchOptions
                    {
                        Ranks = trial.Ranks,
                        Arguments = arguments,
                        Threads = threads,
                    }
                )
        );
        var measured = MeasuredRun.Read(run);
        Directory.Delete(run, recursive: true);
        return measured;
    }

    private static string Output(string folder, IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo(command[0])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new UserErrorException($"A run could not be measured here: {errors.Result.Trim()}");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
