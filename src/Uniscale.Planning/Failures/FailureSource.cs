namespace Uniscale.Planning.Failures;

/// <summary>A failure of a job.</summary>
/// <param name="At">Seconds since the run began.</param>
/// <param name="Nodes">Machines that leave the job.</param>
/// <param name="Repair">Seconds until they are back; null: as the model says.</param>
public readonly record struct Failure(double At, int Nodes, double? Repair = null);

/// <summary>Where the failures of a run come from.</summary>
public interface IFailureSource
{
    /// <summary>The first failure after a time.</summary>
    /// <param name="after">Seconds since the run began.</param>
    Failure Next(double after);
}

/// <summary>
/// Draws failures: exponential times at the job's rate. Some machines are bad and fail more often; a machine that failed is replaced by an
/// ordinary one, so that a job's bad
/// machines wear off and its rate falls from the mean rate of the mixture to that of ordinary machines.
/// </summary>
public sealed class RandomFailures : IFailureSource
{
    private readonly FailureModel _model;
    private readonly Random _random;
    private readonly double _ordinary;
    private int _bad;

    /// <summary>Failures of one run.</summary>
    /// <param name="model">The job.</param>
    /// <param name="random">Seeded for this run.</param>
    public RandomFailures(FailureModel model, Random random)
    {
        (_model, _random) = (model, random);
        // The published rate is that of the whole mixture: an ordinary machine fails as much less as the bad ones fail more.
        _ordinary = 1 / (1 + model.BadShare * (model.BadFactor - 1));
        for (int node = 0; model.BadShare > 0 && node < model.Nodes; node++)
            if (random.NextDouble() < model.BadShare)
                _bad++;
    }

    /// <inheritdoc/>
    public Failure Next(double after)
    {
        double nodeRate = _model.Kinds.Where(kind => kind.Nodes > 0).Sum(kind => kind.PerSecond) * _ordinary;
        double bad = nodeRate * _bad / _model.Nodes * _model.BadFactor,
            ordinary = nodeRate * (_model.Nodes - _bad) / _model.Nodes;
        double job = _model.Kinds.Where(kind => kind.Nodes == 0).Sum(kind => kind.PerSecond);
        double all = bad + ordinary + job;
        double at = all > 0 ? after - Math.Log(1 - _random.NextDouble()) / all : double.PositiveInfinity;
        double drawn = _random.NextDouble() * all;
        if (drawn >= bad + ordinary)
            return new Failure(at, 0);
        if (drawn < bad)
            _bad--;
        return new Failure(at, NodesOf(_random.NextDouble()));
    }

    private int NodesOf(double share)
    {
        double left = share * _model.Kinds.Where(kind => kind.Nodes > 0).Sum(kind => kind.PerSecond);
        foreach (var kind in _model.Kinds)
        {
            if (kind.Nodes == 0)
                continue;
            left -= kind.PerSecond;
            if (left < 0)
                return kind.Nodes;
        }
        return 1;
    }
}
