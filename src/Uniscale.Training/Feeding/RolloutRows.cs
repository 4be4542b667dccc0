using Uniscale.Data;
using Uniscale.Engine.Model;
using static TorchSharp.torch;

namespace Uniscale.Training.Feeding;

/// <summary>Gathers the numbers that tokens of drawn answers bring, sequence by sequence, and keeps this rank's places of them.</summary>
/// <param name="source">Where they are.</param>
/// <param name="step">The step.</param>
/// <param name="view">This rank's share.</param>
internal sealed class RolloutRows(IRolloutSource source, StepPlan step, BatchView view)
{
    private static readonly int ColumnCount = Enum.GetValues<RolloutColumn>().Length;

    private readonly List<double[]> _rows = []; // [columns, places] each

    /// <summary>
    /// What the loss is a mean over: answers, which one rank of the context axis counts, or this rank's tokens that weigh anything.
    /// </summary>
    public long Counted { get; private set; }

    /// <summary>Takes the next sequence.</summary>
    public void Add(long index)
    {
        double[] whole = new double[ColumnCount * step.Context],
            own = new double[ColumnCount * view.Places.Count];
        int answers = source.ReadColumns(step, index, whole);
        for (int column = 0; column < ColumnCount; column++)
            for (int i = 0; i < view.Places.Count; i++)
                own[(column * view.Places.Count) + i] = whole[(column * step.Context) + (int)view.Places[i]];
        if (!source.CountsAnswers)
            Counted +=
                own.AsSpan((int)RolloutColumn.Weight * view.Places.Count, view.Places.Count).Length
                - own.AsSpan((int)RolloutColumn.Weight * view.Places.Count, view.Places.Count).Count(0.0);
        else if (view.Counts)
            Counted += answers;
        _rows.Add(own);
    }

    /// <summary>The tokens as the head takes them.</summary>
    public RolloutTokens ToTokens(ITokenLoss? loss)
    {
        using var scope = NewDisposeScope();
        var rows = tensor(_rows.SelectMany(row => row).ToArray(), [_rows.Count, ColumnCount, view.Places.Count], ScalarType.Float64);
        return new RolloutTokens
        {
            Columns = view.Link.Upload(rows.transpose(0, 1).contiguous()).MoveToOuterDisposeScope().DetachFromDisposeScope(),
            Temperature = source.Temperature,
            KlWeight = source.KlWeight,
            Loss = loss,
        };
    }
}
