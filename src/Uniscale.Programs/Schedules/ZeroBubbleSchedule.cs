namespace Uniscale.Programs.Schedules;

/// <summary>
/// ZB-H1 (Qi et al., 2023): 1F1B with the backward pass split. Gradients of inputs go down the pipeline at once; gradients of weights,
/// which nobody waits for, fill what would be the bubble. Stage s leaves s microbatches' weight gradients behind, so that at most p
/// microbatches are alive on any stage: the memory of the first stage of 1F1B.
/// </summary>
public sealed class ZeroBubbleSchedule : ISchedule
{
    /// <inheritdoc/>
    public string Name => "zero-bubble";

    /// <inheritdoc/>
    public string Summary => "ZB-H1: weight gradients fill the bubble of 1F1B at its memory (Qi et al., 2023)";

    /// <inheritdoc/>
    public IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage)
    {
        int warmup = Math.Min(shape.Stages - 1 - stage, shape.Microbatches);
        int delay = Math.Min(stage, shape.Microbatches);
        for (int m = 0; m < warmup; m++)
            yield return new Slot(Pass.Forward, m);
        for (int m = 0; m < shape.Microbatches; m++)
        {
            if (m + warmup < shape.Microbatches)
                yield return new Slot(Pass.Forward, m + warmup);
            yield return new Slot(Pass.BackwardInput, m);
            if (m >= delay)
                yield return new Slot(Pass.BackwardWeight, m - delay);
        }
        for (int m = shape.Microbatches - delay; m < shape.Microbatches; m++)
            yield return new Slot(Pass.BackwardWeight, m);
    }

    /// <summary>
    /// (p − 1)(F + B − W) / (m (F + B + W) + (p − 1)(F + B − W)) with F, B, W the times of forward, input and weight gradients; Qi et al.,
    /// 2023, table 2.
    /// </summary>
    public double BubbleOf(PipelineShape shape, PassTimes times)
    {
        double idle = (shape.Stages - 1) * Math.Max(0, times.Forward + times.BackwardInput - times.BackwardWeight);
        return idle / (shape.Microbatches * times.Total + idle);
    }
}
