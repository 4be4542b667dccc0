using System.Globalization;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Optimizer;

namespace Uniscale.Cli.Curricula;

/// <summary>
/// A curriculum as tables (phases; sources) and a picture over the run's tokens (mixture, learning rate, batch, context).
/// </summary>
internal sealed class PlanView(RunConfiguration config, Curriculum curriculum, TextWriter output)
{
    private const int Width = 72;
    private const int Height = 12;
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private const string Levels = "▁▂▃▄▅▆▇█";

    public void Print()
    {
        output.WriteLine(
            $"{config.Name}: {TokenText.Of(curriculum.TotalTokens)} tokens in {curriculum.TotalSteps:N0} steps and {curriculum.TotalSamples:N0} sequences; "
                + $"shuffled in windows of {curriculum.Window}; order {curriculum.Fingerprint[..12]}"
        );
        output.WriteLine();
        PrintPhases();
        output.WriteLine();
        PrintSources();
        output.WriteLine();
        PrintPicture();
    }

    private void PrintPhases()
    {
        int name = Math.Max(5, curriculum.Phases.Max(phase => phase.Settings.Name.Length));
        output.WriteLine(
            $"   {"phase".PadRight(name)} {"tokens",8} {"steps",9} {"context",8} {"batch",13} {"tokens/step",15} {"learning rate",20} {"warm-up",8} {"decay",6} {"rope",8}  evaluated on"
        );
        foreach (var phase in curriculum.Phases)
        {
            var settings = phase.Settings;
            int first = phase.Steps.Stages[0].Sequences,
                last = phase.Steps.Stages[^1].Sequences;
            string batch = first == last ? $"{first}" : $"{first}→{last}";
            string stepTokens =
                first == last
                    ? TokenText.Of((long)first * settings.Context)
                    : $"{TokenText.Of((long)first * settings.Context)}→{TokenText.Of((long)last * settings.Context)}";
            output.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{phase.Number + 1,2} {settings.Name.PadRight(name)} {TokenText.Of(phase.Tokens),8} {phase.Steps.StepCount,9} {settings.Context,8} {batch,13} {stepTokens,15} "
                        + $"{$"{Rate(phase, first: true):0.##e-0} → {Rate(phase, first: false):0.##e-0}",20} {settings.WarmupRatio,8:0.0##%} {settings.WeightDecay,6} {settings.RopeBase,8}  "
                        + $"{(settings.Evaluate.Count > 0 ? string.Join(", ", settings.Evaluate) : config.Data.Validation.Count > 0 ? "all" : "nothing")}{StopRule(phase)}"
                )
            );
        }
    }

    private string StopRule(Phase phase)
    {
        if (phase.Number >= config.Phases.Count)
            return "";
        var settings = config.Phases[phase.Number];
        string above =
            settings.StopAbove is not { } bound ? ""
            : bound == 0 ? "; stops"
            : string.Create(CultureInfo.InvariantCulture, $"; stops above {bound}");
        return above
            + string.Concat(
                settings.StopBelow.Select(rule => string.Create(CultureInfo.InvariantCulture, $"; stops below {rule.Value} in {rule.Key}"))
            );
    }

    private void PrintSources()
    {
        var ledger = curriculum.LedgerAt(curriculum.TotalTokens);
        int name = Math.Max(6, curriculum.Sources.Max(source => source.Name.Length));
        output.Write($"   {"source".PadRight(name)} {"domain",-14} {"tokens",8}");
        foreach (var phase in curriculum.Phases)
            output.Write($"{$"phase {phase.Number + 1}",9}");
        output.WriteLine($" {"fed",8} {"share",7} {"epochs",7}");
        foreach (var total in ledger.Sources)
        {
            var source = curriculum.Sources[total.Source];
            output.Write($"{Letter(total.Source)}  {source.Name.PadRight(name)} {source.Domain,-14} {TokenText.Of(source.TokenCount),8}");
            foreach (var phase in curriculum.Phases)
                output.Write(string.Create(CultureInfo.InvariantCulture, $"{phase.Interleaving.Weights[total.Source],9:0.0%}"));
            output.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $" {TokenText.Of(total.FedTokens),8} {total.FedTokens / (double)curriculum.TotalTokens,7:0.0%} {total.Epochs,7:0.00}{(source.IsVirtual ? "  (virtual)" : "")}"
                )
            );
        }
        output.WriteLine(
            $"No token is fed twice in an epoch: the most that any token is fed is {ledger.Sources.Max(source => source.MaxRepeats)} time(s)."
        );
    }

    /// <summary>Columns are equal stretches of the run; the letters stack the sources' shares.</summary>
    private void PrintPicture()
    {
        StepPlan[] steps =
        [
            .. Enumerable.Range(0, Width).Select(column => curriculum.StepAround((long)((column + 0.5) / Width * curriculum.TotalTokens))),
        ];
        for (int row = Height - 1; row >= 0; row--)
        {
            var line = new StringBuilder();
            foreach (var step in steps)
                line.Append(SourceAt(step.Phase, (row + 0.5) / Height));
            output.WriteLine($"{(row == Height - 1 ? "100%" : row == 0 ? "0%" : ""),8} │{line}│");
        }
        var boundaries = new StringBuilder(new string('─', Width));
        foreach (var phase in curriculum.Phases.Skip(1))
            boundaries[(int)Math.Min(Width - 1, (double)phase.StartTokens / curriculum.TotalTokens * Width)] = '┴';
        output.WriteLine($"{"",8} └{boundaries}┘");
        PrintCurve(
            "lr",
            steps,
            step => LearningRate.At(config, step, curriculum.TotalTokens),
            value => value.ToString("0.##e-0", CultureInfo.InvariantCulture)
        );
        PrintCurve("batch", steps, step => step.Tokens, value => $"{TokenText.Of((long)value)} tokens");
        PrintCurve("context", steps, step => step.Context, value => $"{value:0}");
        output.WriteLine($"{"",10}0{TokenText.Of(curriculum.TotalTokens).PadLeft(Width - 1)}");
    }

    private void PrintCurve(string name, StepPlan[] steps, Func<StepPlan, double> valueOf, Func<double, string> format)
    {
        double[] values = [.. steps.Select(valueOf)];
        double most = values.Max();
        string line = string.Concat(
            values.Select(value => Levels[most > 0 ? (int)Math.Min(Levels.Length - 1, value / most * Levels.Length) : 0])
        );
        output.WriteLine($"{name,8}  {line}  at most {format(most)}");
    }

    private char SourceAt(int phase, double height)
    {
        var weights = curriculum.Phases[phase].Interleaving.Weights;
        double sum = 0;
        for (int i = 0; i < weights.Count; i++)
        {
            sum += weights[i];
            if (height < sum)
                return Letter(i);
        }
        return Letter(weights.Count - 1);
    }

    private double Rate(Phase phase, bool first)
    {
        if (!first)
            return LearningRate.At(config, curriculum.StepAround(phase.StartTokens + phase.Tokens - 1), curriculum.TotalTokens);
        // The peak of the phase, wherever in it: sampled, for a curve of the whole run need not peak within.
        return Enumerable
            .Range(0, 64)
            .Max(i => LearningRate.At(config, curriculum.StepAround(phase.StartTokens + phase.Tokens * i / 64), curriculum.TotalTokens));
    }

    private static char Letter(int source) => Letters[source % Letters.Length];
}
