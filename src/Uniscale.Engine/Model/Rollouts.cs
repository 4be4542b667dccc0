using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>
/// Numbers that tokens of answers bring for their loss. What stands at a place is of the token behind it, the target of that place.
/// </summary>
public enum RolloutColumn
{
    /// <summary>Weight in the loss; 0: the token takes no part.</summary>
    Weight,

    /// <summary>Log-probability under the weights that the answer was drawn with.</summary>
    Old,

    /// <summary>Log-probability under the reference.</summary>
    Reference,

    /// <summary>How much better the token was than expected.</summary>
    Advantage,

    /// <summary>What the critic foresaw before the token.</summary>
    Value,

    /// <summary>What it should have foreseen.</summary>
    Return,

    /// <summary>Weight of −log π in the loss: text that is learned as in pre-training.</summary>
    Text,
}

/// <summary>
/// Tokens of a microbatch that were drawn by the model itself, each with a loss of its own: a function of the number that the head finds
/// there (the log-probability
/// of its target) and of numbers that it brings. Every rank of a context group holds its own tokens.
/// </summary>
public sealed class RolloutTokens : IDisposable
{
    /// <summary>Columns, fp64 [<see cref="RolloutColumn"/>, batch, sequence].</summary>
    public required Tensor Columns { get; init; }

    /// <summary>What logits are divided by before probabilities are taken.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Weight of the divergence from the reference.</summary>
    public double KlWeight { get; init; }

    /// <summary>What the numbers become; null: they are only read, into <see cref="Found"/>.</summary>
    public ITokenLoss? Loss { get; set; }

    /// <summary>What the head found at each token, fp32 [batch, sequence]; null: nothing was read.</summary>
    public Tensor? Found { get; private set; }

    /// <summary>What the loss measured, fp64 [<see cref="ITokenLoss.Measures"/>]; null: not yet, or on another rank.</summary>
    public Tensor? Measured { get; private set; }

    /// <summary>A column, fp64 [tokens].</summary>
    public Tensor this[RolloutColumn column] => Columns[(long)column].reshape(-1);

    /// <summary>
    /// Loss of the numbers, summed over the tokens, fp64 [], and its gradient by each, fp64 [tokens]; where there is no loss, keeps the
    /// numbers and gives zeros.
    /// </summary>
    /// <param name="found">fp32 [tokens].</param>
    public (Tensor Loss, Tensor Gradient) Judge(Tensor found)
    {
        if (Loss is null)
        {
            Found?.Dispose();
            Found = found.detach().clone().view(Columns.shape[1..]).DetachFromDisposeScope();
            return (zeros([], ScalarType.Float64, found.device), zeros([found.size(0)], ScalarType.Float64, found.device));
        }
        var (loss, gradient, measured) = Loss.Of(found.to(ScalarType.Float64), this);
        Measured?.Dispose();
        Measured = measured.DetachFromDisposeScope();
        return (loss, gradient);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in (Tensor?[])[Columns, Found, Measured])
            tensor?.Dispose();
    }
}

/// <summary>A loss of tokens, each for itself.</summary>
public interface ITokenLoss
{
    /// <summary>Names of what it measures, each a sum over tokens by their weights.</summary>
    IReadOnlyList<string> Measures { get; }

    /// <summary>
    /// Loss, summed over the tokens by their weights, fp64 []; its gradient by what was found, fp64 [tokens]; and what it measures, fp64
    /// [measures].
    /// </summary>
    /// <param name="found">What the head found at each token, fp64 [tokens].</param>
    /// <param name="tokens">What the tokens bring.</param>
    (Tensor Loss, Tensor Gradient, Tensor Measured) Of(Tensor found, RolloutTokens tokens);
}
