using Uniscale.Engine.Execution;

namespace Uniscale.Training.Tests.Support;

/// <summary>Faults that a test writes down: what happens at which step.</summary>
internal sealed class Damage : IFaultInjector
{
    public Action<long, RankState>? Gradient { get; init; }

    public Func<long, double, double>? Loss { get; init; }

    public Action<long, RankState>? Weights { get; init; }

    public void OnGradient(long step, RankState model) => Gradient?.Invoke(step, model);

    public double OnLoss(long step, double loss) => Loss?.Invoke(step, loss) ?? loss;

    public void OnWeights(long step, RankState model) => Weights?.Invoke(step, model);
}
