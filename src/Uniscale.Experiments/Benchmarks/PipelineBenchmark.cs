using System.Diagnostics;
using TorchSharp;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Devices;
using Uniscale.Launching.Ranks;
using Uniscale.Programs;
using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;
using Uniscale.Torch;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>One schedule, predicted and measured.</summary>
/// <param name="Schedule">Name.</param>
/// <param name="Chunks">Chunks a stage.</param>
/// <param name="Formula">Bubble by the formula for equal stages: 0 to 1.</param>
/// <param name="Predicted">Bubble of the simulated program.</param>
/// <param name="Measured">Bubble of the median step.</param>
/// <param name="PredictedSeconds">Passes of the simulated step, from the first to the last.</param>
/// <param name="Seconds">Passes of the measured steps, from the first to the last.</param>
public sealed record PipelineMeasurement(
    string Schedule,
    int Chunks,
    double Formula,
    double Predicted,
    double Measured,
    double PredictedSeconds,
    IReadOnlyList<double> Seconds
)
{
    /// <summary>Middle of the measured steps.</summary>
    public double MedianSeconds => Statistics.Median(Seconds);
}

/// <summary>
/// Pipelines whose passes take a set time: the step program, its messages and its waits are the real ones, on a model so small that its
/// arithmetic hardly counts, and every pass is filled up to the set time by sleeping. So the stages run side by side even where there are
/// fewer processors than stages, and what is measured is the schedule and the executor.
/// </summary>
/// <param name="configuration">Model, batch and number of stages; its own schedule is not used.</param>
/// <param name="pass">Forward pass of a stage over one microbatch; gradients of inputs and of weights take as long each.</param>
/// <param name="steps">Measured steps of each schedule.</param>
public sealed class PipelineBenchmark(RunConfiguration configuration, TimeSpan pass, int steps)
{
    private const int WarmupSteps = 2,
        Chunks = 2;

    private readonly PassTimes _stage = new(pass.TotalSeconds, pass.TotalSeconds, pass.TotalSeconds);

    /// <summary>All schedules, one after the other.</summary>
    public IEnumerable<PipelineMeasurement> Run() => ScheduleRegistry.All.Select(Measure);

    private PipelineMeasurement Measure(ISchedule schedule)
    {
        int chunks = schedule.Interleaves ? Chunks : 1;
        var laidOut = configuration with { Parallel = configuration.Parallel with { Schedule = schedule.Name, Chunks = chunks } };
        int ranks = laidOut.Parallel.ReplicaRanks * Math.Max(1, laidOut.Parallel.Data);
        LayoutGate.CheckWorld(laidOut, ranks);
        PipelineMeasurement? measurement = null;
        InProcessLauncher.Run(
            ranks,
            world =>
            {
                TorchThreads.Set(1);
                using var data = TrainingData.OpenOrDraw(laidOut);
                using var runtime = RankRuntime.Create(laidOut, world, data.Source, data.Tokens, data.Vocabulary);
                var spec = runtime.Specification;
                var costs = StepCosts.Even(spec, _stage);
                var (bubbles, seconds) = Time(runtime, costs);
                if (world.Rank != 0)
                    return;
                var predicted = PipelineTimeline.Simulate(spec, costs);
                double formula = schedule.BubbleOf(new PipelineShape(spec.Mesh.Pipeline, chunks, spec.Microbatches), _stage);
                measurement = new PipelineMeasurement(
                    schedule.Name,
                    chunks,
                    formula,
                    predicted.BubbleRatio,
                    Statistics.Median(bubbles),
                    predicted.PassesEnd,
                    seconds
                );
            }
        );
        return measurement!;
    }

    private (List<double> Bubbles, List<double> Seconds) Time(RankRuntime runtime, StepCosts costs)
    {
        var (bubbles, seconds) = (new List<double>(), new List<double>());
        double busy = 0;
        long lastEnd = 0;
        var waited = TimeSpan.Zero;
        runtime.InstructionRan = (instruction, start) =>
        {
            // A pass begins by waiting for its input, which is no work.
            var wait = runtime.Waited - waited;
            waited = runtime.Waited;
            if (instruction.Op is not (Op.Forward or Op.Backward or Op.BackwardInput or Op.BackwardWeight))
                return;
            FillUp(costs.Of(instruction) - (Stopwatch.GetElapsedTime(start) - wait).TotalSeconds);
            lastEnd = Stopwatch.GetTimestamp();
            busy += (Stopwatch.GetElapsedTime(start, lastEnd) - wait).TotalSeconds;
        };
        for (int step = 0; step < WarmupSteps + steps; step++)
        {
            runtime.World.Group.Barrier().Wait();
            busy = 0;
            waited = runtime.Waited;
            long start = Stopwatch.GetTimestamp();
            runtime.Step();
            double end = Reduce(runtime.World, Stopwatch.GetElapsedTime(start, lastEnd).TotalSeconds, ReduceOp.Max);
            double total = Reduce(runtime.World, busy, ReduceOp.Sum);
            if (step < WarmupSteps)
                continue;
            seconds.Add(end);
            bubbles.Add(1 - total / (end * runtime.World.Size));
        }
        return (bubbles, seconds);
    }

    private static void FillUp(double seconds)
    {
        if (seconds > 0)
            Thread.Sleep(TimeSpan.FromMilliseconds(Math.Round(seconds * 1e3)));
    }

    private static double Reduce(IWorld world, double mine, ReduceOp op)
    {
        using var all = torch.tensor([mine], torch.ScalarType.Float64);
        world.Group.AllReduce(TensorBuffer.Of(all), op).Wait();
        return all.item<double>();
    }
}
