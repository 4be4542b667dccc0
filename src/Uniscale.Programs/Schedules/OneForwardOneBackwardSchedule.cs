using Uniscale.Programs.Timing;

namespace Uniscale.Programs.Schedules;

/// <summary>
/// One forward, one backward (Narayanan et al., 2019, in the flushing form of Megatron-LM, 2021): stage s begins with p − 1 − s
/// forward passes, then alternates. The bubble is that of GPipe, but at most p − s microbatches are alive. Where stages cost unequally, all
/// but
/// the last may go one microbatch further ahead (docs/decisions/0126).
/// </summary>
public sealed class OneForwardOneBackwardSchedule : ISchedule
{
    /// <summary>Share of a step that must be won by keeping the activations of one more microbatch.</summary>
    private const double WorthAMicrobatch = 0.02;

    private readonly int _ahead;

    /// <summary>The schedule of the papers.</summary>
    public OneForwardOneBackwardSchedule() { }

    private OneForwardOneBackwardSchedule(int ahead) => _ahead = ahead;

    /// <inheritdoc/>
    public string Name => "1f1b";

    /// <inheritdoc/>
    public string Summary => "one forward, one backward; at most p microbatches alive, p + 1 where stages differ (Narayanan et al., 2019)";

    /// <inheritdoc/>
    public IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage)
    {
        bool isLast = stage == shape.Stages - 1;
        int warmup = Math.Min(shape.Stages - 1 - stage + (isLast ? 0 : _ahead), shape.Microbatches);
        for (int m = 0; m < warmup; m++)
            yield return new Slot(Pass.Forward, m);
        for (int m = 0; m < shape.Microbatches; m++)
        {
            if (m + warmup < shape.Microbatches)
                yield return new Slot(Pass.Forward, m + warmup);
            yield return new Slot(Pass.Backward, m);
        }
    }

    /// <summary>One microbatch further ahead, if that makes the step shorter by the count of operations: a stage that is slower than those
    /// after it
    /// then finds their gradients there when it needs them.</summary>
    public ISchedule FittedTo(StepSpecification spec)
    {
        if (spec.Mesh.Pipeline == 1 || spec.Microbatches <= spec.Mesh.Pipeline)
            return this;
        var costs = StepCosts.FromOperations(spec, flopsPerSecond: 1);
        var further = new OneForwardOneBackwardSchedule(_ahead + 1);
        double gain =
            1 - PipelineTimeline.Simulate(spec, costs, further).PassesEnd / PipelineTimeline.Simulate(spec, costs, this).PassesEnd;
        return gain > WorthAMicrobatch ? further : this;
    }

    /// <summary>(p − 1) / (m + p − 1), Narayanan et al., 2021.</summary>
    public double BubbleOf(PipelineShape shape, PassTimes times) => (shape.Stages - 1.0) / (shape.Microbatches + shape.Stages - 1);
}
