using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Experiments.Benchmarks;
using Uniscale.Kernels.Cpu;
using Uniscale.Launching.Processes;
using Uniscale.Planning.Clusters;
using Uniscale.Programs;

namespace Uniscale.Cli.Planning;

/// <summary>Measures this machine: peaks, bandwidth, and the steps of small layouts, each in a process of its own, to which the planner's constants are fitted.</summary>
/// <param name="precision">fp32 or bf16.</param>
/// <param name="threads">Threads of a rank.</param>
/// <param name="steps">Measured steps of each layout.</param>
/// <param name="say">Told what is being measured.</param>
internal sealed class Calibration(PrecisionKind precision, int threads, int steps, Action<string> say)
{
    private static readonly TimeSpan PeakDuration = TimeSpan.FromMilliseconds(200);

    /// <summary>Layouts of one and two ranks that between them vary every term of the costs.</summary>
    private static readonly (string Name, string Yaml, int Ranks)[] Layouts =
    [
        ("small", Model(2, 128, 2, 64) + "batch: { global: 4, micro: 4 }\n", 1),
        ("wide", Model(2, 512, 4, 128) + "batch: { global: 4, micro: 4 }\n", 1),
        ("long", Model(2, 256, 4, 1024) + "batch: { global: 2, micro: 1 }\n", 1),
        ("deep", Model(8, 256, 4, 128) + "batch: { global: 8, micro: 2 }\n", 1),
        ("recomputed", Model(4, 384, 6, 256) + "batch: { global: 4, micro: 2 }\nparallel: { recompute: block }\n", 1),
        ("data", Model(4, 384, 6, 128) + "batch: { global: 8, micro: 4 }\nparallel: { data: 2 }\n", 2),
        ("tensor", Model(4, 384, 6, 256) + "batch: { global: 4, micro: 4 }\nparallel: { tensor: 2 }\n", 2),
        ("pipeline", Model(6, 256, 4, 128) + "batch: { global: 16, micro: 2 }\nparallel: { pipeline: 2 }\n", 2),
    ];

    /// <summary>Measures; the cluster file of this machine.</summary>
    public ClusterFile Run()
    {
        var type = precision == PrecisionKind.Bf16 ? KernelType.BFloat16 : KernelType.Float32;
        double peak = PeakSpeed.Flops(type, threads, PeakDuration), copy = PeakSpeed.CopyBandwidth(threads);
        say($"peak {peak / 1e9:N0} GFLOP/s and copies at {copy / 1e9:N1} GB/s with {threads} {(threads == 1 ? "thread" : "threads")}");
        int ranks = Math.Max(1, Environment.ProcessorCount / threads);
        var measured = Layouts.Where(layout => layout.Ranks <= ranks).Select(Measure).ToArray();
        string source = $"measured by uniscale plan calibrate, {DateTime.Now.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}, {Machine.Processor().Replace('"', '\'')}";
        Figure Of(double value) => new() { Value = value.ToString("G6", CultureInfo.InvariantCulture), Source = source };
        var machine = new ClusterFile
        {
            Name = "this-machine",
            Summary = $"{Machine.Processor().Replace('"', '\'')}, {threads} threads a rank, {(precision == PrecisionKind.Bf16 ? "bf16" : "fp32")}",
            Chip = new ChipSection
            {
                Name = $"{threads} threads of {Machine.Processor().Replace('"', '\'')}",
                PeakBf16 = precision == PrecisionKind.Bf16 ? Of(peak) : new(),
                PeakFp32 = precision == PrecisionKind.Fp32 ? Of(peak) : new(),
                Memory = Of(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes),
                MemoryBandwidth = Of(copy),
            },
            Node = new NodeSection { Gpus = Of(ranks), LinkBandwidth = Of(copy / 2) },
            Fabric = new FabricSection { Gpus = Of(ranks) },
            Stacks = [new StackSection { Name = "uniscale", Source = source }],
        };
        return MachineFit.Of(machine, measured, source);
    }

    private static string Model(int layers, int hidden, int heads, int context) =>
        $"name: calibration\nmodel: {{ layers: {layers}, hidden: {hidden}, heads: {heads}, context: {context}, vocabulary: 8192 }}\n";

    private MeasuredLayout Measure((string Name, string Yaml, int Ranks) layout)
    {
        string yaml = layout.Yaml + $"train: {{ steps: 20, threads: {threads}, precision: {(precision == PrecisionKind.Bf16 ? "bf16" : "fp32")} }}\n";
        string file = Path.Combine(Path.GetTempPath(), $"uniscale-calibration-{Environment.ProcessId}.yaml");
        File.WriteAllText(file, yaml);
        try
        {
            using var result = JsonDocument.Parse(Benchmark(file, layout.Ranks));
            double seconds = result.RootElement.GetProperty("median_seconds").GetDouble();
            say($"{layout.Name}: {seconds * 1e3:N1} ms a step");
            var spec = SpecificationBuilder.Build(ConfigurationLoader.Parse(yaml).Value, layout.Ranks);
            return new MeasuredLayout(layout.Name, spec, seconds, result.RootElement.GetProperty("peak_resident_bytes").GetDouble());
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>A process of its own has the memory of its layout alone.</summary>
    private string Benchmark(string file, int ranks)
    {
        var self = MpiLauncher.ThisExecutable();
        var start = new ProcessStartInfo(self[0]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        string[] arguments = ["benchmark", "step", file, "--ranks", Text(ranks), "--steps", Text(steps), "--json"];
        foreach (string argument in self.Skip(1).Concat(arguments)) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new UserErrorException($"A step could not be measured here: {errors.Result.Trim()}");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
