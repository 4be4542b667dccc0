// A pipeline schedule of your own, in your own program: proved on all ranks, drawn, and timed beside 1F1B.
using Uniscale.Configuration;
using Uniscale.Programs;
using Uniscale.Programs.Checking;
using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;

using var added = ScheduleRegistry.Add(new BoundedSchedule(inFlight: 3));

foreach (string schedule in (string[])["1f1b", "bounded"])
{
    // From here on configurations may name the schedule, as `parallel.schedule: bounded`.
    var configuration = ConfigurationLoader
        .Parse(
            $$"""
            model: { layers: 8, hidden: 128, heads: 8, vocabulary: 512, context: 128 }
            batch: { global: 16, micro: 1 }
            parallel: { pipeline: 4, data: 2, zero: { stage: 1 }, schedule: {{schedule}} }
            train: { steps: 1 }
            """
        )
        .Value;
    var spec = SpecificationBuilder.Build(configuration);
    var verdict = ProgramChecker.Check(spec);
    if (!verdict.Passed)
    {
        Console.WriteLine($"{schedule} is refused: {verdict.Violations[0]}");
        return 1;
    }
    var timeline = PipelineTimeline.Simulate(spec, StepCosts.Even(spec, new PassTimes(1, 1, 1)));
    Console.WriteLine(
        $"{schedule}: {verdict.InstructionCount} instructions of {spec.Mesh.Size} ranks checked; bubble {timeline.BubbleRatio:P1}; "
            + $"activations at most {verdict.PeakActivationBytes.Max() / 1024} KiB on a rank"
    );
    Console.WriteLine(PipelinePicture.Render(timeline, 100));
}
return 0;

/// <summary>1F1B whose stages never hold more than a given number of microbatches: less memory, a longer step.</summary>
/// <param name="inFlight">Microbatches that may be in flight on a stage.</param>
internal sealed class BoundedSchedule(int inFlight) : ISchedule
{
    public string Name => "bounded";

    public string Summary => "1F1B with a bound on the microbatches in flight";

    public IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage)
    {
        int ahead = Math.Min(Math.Min(shape.Stages - stage, inFlight), shape.Microbatches);
        for (int m = 0; m < ahead; m++)
            yield return new Slot(Pass.Forward, m);
        for (int m = 0; m < shape.Microbatches; m++)
        {
            yield return new Slot(Pass.Backward, m);
            if (m + ahead < shape.Microbatches)
                yield return new Slot(Pass.Forward, m + ahead);
        }
    }

    /// <summary>That of 1F1B, which this is where the bound is not felt.</summary>
    public double BubbleOf(PipelineShape shape, PassTimes times) => (shape.Stages - 1.0) / (shape.Microbatches + shape.Stages - 1);
}
