using System.Globalization;
using Uniscale.Checkpoints.Loading;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Telemetry;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Curricula;

/// <summary>
/// The card of an exported model, as Hugging Face's pages read it: where in its run the model is from, what it was fed, and what it scored
/// there.
/// </summary>
/// <param name="configuration">The run.</param>
/// <param name="checkpoint">The checkpoint that is exported.</param>
internal sealed class ReleaseCard(RunConfiguration configuration, CheckpointReader checkpoint)
{
    /// <summary>Name of the card in a folder.</summary>
    public const string FileName = "README.md";

    private readonly long _step = checkpoint.Manifest.Step;
    private readonly long _consumed = checkpoint.Manifest.ConsumedTokens;

    /// <summary>The lines of the card, with what Hugging Face's pages sort by in front.</summary>
    /// <param name="parameters">Parameters of the model.</param>
    public IEnumerable<string> Lines(long parameters) =>
        ["---", "library_name: transformers", "pipeline_tag: text-generation", "tags: [uniscale]", "---", "", .. Text(parameters)];

    /// <summary>What the card says, for a file that has a description.</summary>
    /// <param name="parameters">Parameters of the model.</param>
    public IEnumerable<string> Text(long parameters)
    {
        var model = configuration.ModelAt(_consumed);
        string[] head =
        [
            $"# {configuration.Name}, step {_step}",
            "",
            $"{Units.Count(parameters)} parameters: {model.Layers} layers, hidden {model.Hidden}, {model.Heads} heads, context {model.Context}, RoPE base {model.RopeBase.ToString(CultureInfo.InvariantCulture)}.",
            "",
            $"Position: after step {_step}, {_consumed.ToString("N0", CultureInfo.InvariantCulture)} tokens{PhaseText()}.",
        ];
        return [.. head, .. DataLines(), .. ScoreLines()];
    }

    private string PhaseText()
    {
        long end = 0;
        foreach (var phase in configuration.Phases)
        {
            end += phase.Tokens;
            if (_consumed <= end)
                return _consumed == end ? $", the end of phase {phase.Name}" : $", within phase {phase.Name}";
        }
        return "";
    }

    /// <summary>Mixture and ledger; where the data is not here they are not known.</summary>
    private IEnumerable<string> DataLines()
    {
        // Answers of its own are no position of a curriculum.
        if (configuration.Objective.DrawsAnswers() || configuration.Data.Sources.Count == 0 || _consumed == 0)
            return [];
        try
        {
            using var curriculum = Curriculum.FromConfiguration(configuration);
            if (_consumed > curriculum.TotalTokens)
                return [];
            return [.. MixtureLines(curriculum), .. LedgerLines(curriculum)];
        }
        catch (UserErrorException)
        {
            return ["", "What it was fed is not told: its shards were not there when it was exported."];
        }
    }

    private IEnumerable<string> MixtureLines(Curriculum curriculum)
    {
        yield return "";
        yield return "## Mixture";
        yield return "";
        yield return "| phase | tokens | " + string.Join(" | ", curriculum.Sources.Select(source => source.Name)) + " |";
        yield return "|---|---|" + string.Concat(curriculum.Sources.Select(_ => "---|"));
        foreach (var phase in curriculum.Phases.Where(phase => phase.StartTokens < _consumed))
            yield return $"| {phase.Settings.Name} | {TokenText.Of(Math.Min(phase.Tokens, _consumed - phase.StartTokens))} | "
                + string.Join(
                    " | ",
                    curriculum.Sources.Select((_, i) => phase.Interleaving.Weights[i].ToString("0.0%", CultureInfo.InvariantCulture))
                )
                + " |";
    }

    private IEnumerable<string> LedgerLines(Curriculum curriculum)
    {
        var ledger = curriculum.LedgerAt(_consumed, DiscardedSpan.Read(checkpoint.Manifest.Extra));
        yield return "";
        yield return "## Fed";
        yield return "";
        yield return "| source | domain | tokens | epochs | not in the weights |";
        yield return "|---|---|---|---|---|";
        foreach (var total in ledger.Sources)
        {
            var source = curriculum.Sources[total.Source];
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"| {source.Name} | {source.Domain} | {total.FedTokens:N0} | {total.Epochs:0.000} | {total.DiscardedTokens:N0} |"
            );
        }
    }

    /// <summary>What the run told at this step.</summary>
    private IEnumerable<string> ScoreLines()
    {
        var scores = RunOf(checkpoint.Folder) is { } run
            ? TaskScore
                .Read(Path.Combine(run, TelemetryFactory.MetricsFileName))
                .Where(score => score.Step == _step && !score.IsPart)
                .ToList()
            : [];
        if (scores.Count == 0)
            yield break;
        yield return "";
        yield return "## Scores";
        yield return "";
        yield return "| task | score | questions | method |";
        yield return "|---|---|---|---|";
        foreach (var score in scores)
            yield return $"| {score.Task} | {score} | {score.Questions} | {score.Method} |";
    }

    /// <summary>The folder of the run above a checkpoint; null: the checkpoint lies elsewhere.</summary>
    private static string? RunOf(string checkpoint)
    {
        var folder = new DirectoryInfo(Path.GetFullPath(checkpoint)).Parent;
        for (int level = 0; folder is not null && level < 2; level++, folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, RunFolder.ConfigurationFile)))
                return folder.FullName;
        return null;
    }
}
