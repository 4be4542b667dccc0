using System.Diagnostics;
using TorchSharp;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Execution;
using Uniscale.Kernels.Cpu;
using Uniscale.Launching.Ranks;
using Uniscale.Programs;
using Uniscale.Programs.Memory;
using Uniscale.Telemetry;
using Uniscale.Torch;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>
/// Times whole optimizer steps: first as training runs them, with the processor's peak measured between them; then some with every kernel
/// recorded, for the share of each part.
/// </summary>
/// <param name="configuration">Model, batch, layout.</param>
/// <param name="ranks">Ranks, as threads; a launched job has its own number.</param>
/// <param name="steps">Measured steps.</param>
public sealed class StepBenchmark(RunConfiguration configuration, int ranks, int steps)
{
    private const int WarmupSteps = 3,
        ProfiledSteps = 3;

    private static readonly TimeSpan PeakDuration = TimeSpan.FromMilliseconds(20);

    /// <summary>Runs; null on ranks of a launched job that are not the first.</summary>
    public StepMeasurement? Run()
    {
        StepMeasurement? measurement = null;
        var environment = RankEnvironment.Detect();
        if (environment.IsLaunched)
            ProcessRank.Run(
                environment,
                world => measurement = Measure(world, environment.LocalSize, isThread: false),
                RankDevices.Of(configuration)
            );
        else
        {
            InProcessLauncher.Run(
                ranks,
                world =>
                {
                    if (Measure(world, ranks, isThread: true) is { } mine)
                        measurement = mine;
                },
                RankDevices.Of(configuration)
            );
        }
        return measurement;
    }

    private StepMeasurement? Measure(IWorld world, int localRanks, bool isThread)
    {
        int threads = configuration.Train.Threads > 0 ? configuration.Train.Threads : Math.Max(1, Environment.ProcessorCount / localRanks);
        TorchThreads.Set(threads);
        LayoutGate.CheckWorld(configuration, world.Size);
        using var data = TrainingData.OpenOrDraw(configuration);
        double load = Machine.LoadAverage();
        var timed = Time(world, data, threads);
        // Ranks that are threads share one process, whose memory counts once.
        long resident = (long)Sum(world, isThread && world.Rank > 0 ? 0 : HostMemory.PeakResidentBytes());
        double? peak = timed.Peak > 0 ? Sum(world, timed.Peak) : null;
        var profile = Profile(world, data, out string layout);
        if (world.Rank != 0)
            return null;
        double median = Statistics.Median(timed.Seconds),
            rate = timed.BatchTokens / median;
        return new StepMeasurement
        {
            Name = configuration.Name,
            ParameterCount = ParameterCount.OfModel(configuration.Model, data.Vocabulary),
            BatchTokens = timed.BatchTokens,
            Precision = configuration.Train.Precision == PrecisionKind.Bf16 ? "bf16" : "fp32",
            Layout = layout,
            Ranks = world.Size,
            Threads = threads,
            Processor = Machine.Processor(),
            LoadAverage = load,
            Seconds = timed.Seconds,
            MedianSeconds = median,
            TokensPerSecond = rate,
            ModelFlops = rate * ModelFlops.PerToken(configuration.Model, data.Vocabulary, timed.Context),
            PeakFlops = peak,
            ManagedBytes = timed.ManagedBytes,
            CollectionMilliseconds = timed.CollectionMilliseconds,
            PeakResidentBytes = resident,
            Profile = profile,
        };
    }

    private TimedSteps Time(IWorld world, TrainingData data, int threads)
    {
        using var runtime = RankRuntime.Create(configuration, world, data.Source, data.Tokens, data.Vocabulary);
        for (int step = 0; step < WarmupSteps; step++)
            runtime.Step();
        bool hasPeak = configuration.Train.Device == "cpu" && CpuKernels.IsSupported;
        var type = configuration.Train.Precision == PrecisionKind.Bf16 ? KernelType.BFloat16 : KernelType.Float32;
        var (seconds, peaks, bytes, pauses) = (new List<double>(), new List<double>(), 0L, TimeSpan.Zero);
        var (tokens, context) = (0L, 0);
        for (int step = 0; step < steps; step++)
        {
            world.Group.Barrier().Wait();
            if (hasPeak)
                peaks.Add(PeakSpeed.Flops(type, threads, PeakDuration));
            world.Group.Barrier().Wait();
            var (bytesBefore, pausesBefore, start) = (GC.GetTotalAllocatedBytes(), GC.GetTotalPauseDuration(), Stopwatch.GetTimestamp());
            var outcome = runtime.Step();
            world.Group.Barrier().Wait();
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            (bytes, pauses) = (bytes + GC.GetTotalAllocatedBytes() - bytesBefore, pauses + GC.GetTotalPauseDuration() - pausesBefore);
            (tokens, context) = (outcome.Plan.Tokens, outcome.Plan.Context);
        }
        return new TimedSteps(
            seconds,
            tokens,
            context,
            hasPeak ? Statistics.Median(peaks) : 0,
            (double)bytes / steps,
            pauses.TotalMilliseconds / steps
        );
    }

    private StepProfile Profile(IWorld world, TrainingData data, out string layout)
    {
        using var runtime = RankRuntime.Create(configuration, world, data.Source, data.Tokens, data.Vocabulary, Recording.Kernels);
        for (int step = 0; step < WarmupSteps; step++)
            runtime.Step();
        runtime.Timeline!.IsRecording = true;
        for (int step = 0; step < ProfiledSteps; step++)
            runtime.Step();
        runtime.Timeline.IsRecording = false;
        var mesh = runtime.Specification.Mesh;
        layout = $"tp{mesh.Tensor} pp{mesh.Pipeline} cp{mesh.Context} dp{mesh.Data} zero{runtime.Specification.ZeroStage}";
        return StepProfile.Of(runtime.Timeline.Events, runtime.Specification.Model.Head);
    }

    private static double Sum(IWorld world, double mine)
    {
        using var sum = torch.tensor([mine], torch.ScalarType.Float64);
        world.HostGroup.AllReduce(TensorBuffer.Of(sum)).Wait();
        return sum.item<double>();
    }

    private sealed record TimedSteps(
        IReadOnlyList<double> Seconds,
        long BatchTokens,
        int Context,
        double Peak,
        double ManagedBytes,
        double CollectionMilliseconds
    );
}
