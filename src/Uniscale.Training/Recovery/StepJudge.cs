using System.Globalization;
using Uniscale.Configuration;

namespace Uniscale.Training.Recovery;

/// <summary>
/// Judges steps by loss and gradient norm, from the steps before. All ranks judge the same numbers by the same past, so that they agree
/// without a word. What it remembers goes into the checkpoint.
/// </summary>
/// <param name="policy">Thresholds and actions.</param>
public sealed class StepJudge(BadStepsSection policy)
{
    private const string LossKey = "bad_steps.losses",
        NormKey = "bad_steps.log_norms",
        PhaseKey = "bad_steps.phase";

    /// <summary>
    /// Smallest deviations that count: a hundredth of the loss, a tenth of the norm. At the default thresholds a loss less than a tenth
    /// above its median is never a spike, nor a norm of less than seven times (e²).
    /// </summary>
    private const double LossFloor = 0.01,
        LogNormFloor = 0.1;

    private readonly RobustWindow _losses = new(policy.Window, median => LossFloor * Math.Abs(median));
    private readonly RobustWindow _logNorms = new(policy.Window, _ => LogNormFloor);
    private int _phase;

    /// <summary>Values that must be there before anything is judged.</summary>
    private int Enough => Math.Max(8, policy.Window / 4);

    /// <summary>Judges a step.</summary>
    /// <param name="phase">Phase of the step, from 0: another one than before forgets the past.</param>
    /// <param name="loss">Its loss.</param>
    /// <param name="norm">Its gradient norm before clipping.</param>
    public StepJudgement Judge(int phase, double loss, double norm)
    {
        if (!double.IsFinite(loss) || !double.IsFinite(norm))
            return new(StepVerdict.NotFinite, policy.NotFinite);
        if (phase != _phase || _losses.Values.Count < Enough)
            return default;
        var byLoss = new StepJudgement(StepVerdict.LossSpike, policy.LossSpike);
        var byNorm = new StepJudgement(StepVerdict.GradientSpike, policy.GradientSpike);
        bool lossSpikes = policy.LossThreshold > 0 && _losses.ScoreOf(loss) > policy.LossThreshold;
        bool normSpikes = policy.GradientThreshold > 0 && _logNorms.ScoreOf(LogOf(norm)) > policy.GradientThreshold;
        return (lossSpikes, normSpikes) switch
        {
            (true, true) => byNorm.Action > byLoss.Action ? byNorm : byLoss,
            (true, false) => byLoss,
            (false, true) => byNorm,
            _ => default,
        };
    }

    /// <summary>Takes in a step that was applied.</summary>
    public void Remember(int phase, double loss, double norm)
    {
        if (phase != _phase)
            Forget();
        _phase = phase;
        _losses.Add(loss);
        _logNorms.Add(LogOf(norm));
    }

    /// <summary>What a checkpoint keeps.</summary>
    public IEnumerable<KeyValuePair<string, string>> ToExtra() =>
        [new(PhaseKey, _phase.ToString(CultureInfo.InvariantCulture)), new(LossKey, Write(_losses)), new(NormKey, Write(_logNorms))];

    /// <summary>Takes the past from a checkpoint; one that has kept nothing leaves none.</summary>
    public void Restore(IReadOnlyDictionary<string, string> extra)
    {
        Forget();
        _phase = extra.TryGetValue(PhaseKey, out string? phase) ? int.Parse(phase, CultureInfo.InvariantCulture) : 0;
        foreach (var (window, key) in ((RobustWindow, string)[])[(_losses, LossKey), (_logNorms, NormKey)])
            foreach (string value in extra.GetValueOrDefault(key, "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
                window.Add(double.Parse(value, CultureInfo.InvariantCulture));
    }

    private void Forget()
    {
        _losses.Clear();
        _logNorms.Clear();
    }

    // A norm of zero has no logarithm; nothing lies below the smallest number.
    private static double LogOf(double norm) => Math.Log(Math.Max(norm, double.Epsilon));

    private static string Write(RobustWindow window) =>
        string.Join(' ', window.Values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));
}
