using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>
/// The answers of a microbatch that are compared, all ranks of a tensor and context group alike. The head sums what it finds at the places
/// of each answer (its score,
/// or the log-probabilities of its tokens), over all ranks that hold parts of it, and the loss is a function of these sums.
/// </summary>
public sealed class AnswerSet : IDisposable
{
    /// <summary>For each token of this rank, int64 [batch, sequence]: the answer that counts what the head finds there; −1: none.</summary>
    public required Tensor Numbers { get; init; }

    /// <summary>Answers of the microbatch; 1 where there are none, so that sums have a place.</summary>
    public required int Count { get; init; }

    /// <summary>For each pair, int64 [pairs]: the number of the better answer.</summary>
    public required Tensor Better { get; init; }

    /// <summary>For each pair, int64 [pairs]: the number of the worse answer.</summary>
    public required Tensor Worse { get; init; }

    /// <summary>For each pair, fp64 [pairs]: its weight; the pairs of one comparison sum to 1.</summary>
    public required Tensor Weights { get; init; }

    /// <summary>Learned tokens of each answer, over all ranks, fp64 [answers]; at least 1.</summary>
    public required Tensor Lengths { get; init; }

    /// <summary>What the sums become; null: they are only read, into <see cref="Reference"/>.</summary>
    public IAnswerLoss? Loss { get; set; }

    /// <summary>Sums that another model gave for the same answers, fp64 [answers]; null: not read yet.</summary>
    public Tensor? Reference { get; private set; }

    /// <summary>
    /// What the loss measured, fp64 [<see cref="IAnswerLoss.Measures"/>], on the rank that speaks for the microbatch; null: not yet, or on
    /// another.
    /// </summary>
    public Tensor? Measured { get; private set; }

    /// <summary>Loss of the sums and its gradient; where there is no loss, keeps the sums as the reference and gives zeros.</summary>
    /// <param name="sums">fp64 [answers], complete.</param>
    /// <param name="speaks">This rank counts the loss and the measures of the microbatch; the others return a loss of zero.</param>
    public (Tensor Loss, Tensor Gradient) Judge(Tensor sums, bool speaks)
    {
        if (Loss is null)
        {
            Reference?.Dispose();
            Reference = sums.detach().clone().DetachFromDisposeScope();
            return (zeros([], ScalarType.Float64, sums.device), zeros_like(sums));
        }
        var (loss, gradient, measured) = Loss.Of(sums, this);
        if (!speaks)
            return (zeros_like(loss), gradient);
        Measured?.Dispose();
        Measured = measured.DetachFromDisposeScope();
        return (loss, gradient);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in (Tensor?[])[Numbers, Better, Worse, Weights, Lengths, Reference, Measured])
            tensor?.Dispose();
    }
}

/// <summary>The loss of answers that are compared.</summary>
public interface IAnswerLoss
{
    /// <summary>Names of what it measures, each a sum over comparisons.</summary>
    IReadOnlyList<string> Measures { get; }

    /// <summary>
    /// Loss, summed over the comparisons, fp64 []; its gradient by the sums, fp64 [answers]; and what it measures, fp64 [measures].
    /// </summary>
    /// <param name="sums">What the head found for each answer, fp64 [answers].</param>
    /// <param name="answers">The answers.</param>
    (Tensor Loss, Tensor Gradient, Tensor Measured) Of(Tensor sums, AnswerSet answers);
}
