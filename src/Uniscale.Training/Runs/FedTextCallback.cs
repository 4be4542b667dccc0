using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Telemetry;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>Tells telemetry what a phase feeds: the text of the first sample of its first step here. For rank 0.</summary>
/// <param name="telemetry">Receives the texts.</param>
/// <param name="tokenizer">Path of the run's tokenizer.</param>
internal sealed class FedTextCallback(RunTelemetry telemetry, string tokenizer) : ITrainingCallback
{
    private const int LongestText = 2_000;

    private int? _phase;

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        var plan = outcome.Plan;
        if (plan.Phase == _phase)
            return;
        _phase = plan.Phase;
        string phase = plan.Phase < runtime.Configuration.Phases.Count ? runtime.Configuration.Phases[plan.Phase].Name : "run";
        telemetry.Sample(new TextSample(outcome.Position.Step, $"fed/{phase}", Text(runtime.Data, plan)));
    }

    private string Text(ISequenceSource data, StepPlan plan)
    {
        int[] tokens = new int[plan.Context + 1];
        data.Read(plan, plan.FirstSample, tokens, []);
        try
        {
            using var model = Tokenizer.Load(tokenizer);
            // Below zero: no token.
            string text = model.Decode([.. tokens.Where(token => token >= 0)]);
            return text.Length <= LongestText ? text : text[..LongestText] + " …";
        }
        catch (UserErrorException problem)
        {
            return $"(no text: {problem.Message})";
        }
    }
}
