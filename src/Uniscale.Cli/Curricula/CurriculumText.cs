using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;
using Uniscale.Data;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Curricula;

/// <summary>What <c>uniscale curriculum show --text</c> prints of a position, for the dashboard.</summary>
internal sealed class CurriculumText : ICurriculumText
{
    private const int Samples = 16,
        PreviewTokens = 256;

    private readonly Lock _gate = new();

    /// <inheritdoc/>
    public FedPosition At(string run, long tokens)
    {
        // One at a time: opening shards is work.
        lock (_gate)
        {
            try
            {
                var config = ConfigurationLoader.LoadStored(Path.Combine(run, RunFolder.ConfigurationFile), run).Value;
                if (config.Objective.DrawsAnswers())
                    return FedPosition.Without("The run learns from answers of its own: they stand on the page of its alignment.");
                using var curriculum = Curriculum.FromConfiguration(config);
                if (tokens < 0 || tokens >= curriculum.TotalTokens)
                    return FedPosition.Without(
                        string.Create(CultureInfo.InvariantCulture, $"The run ends with {curriculum.TotalTokens:N0} tokens.")
                    );
                using var tokenizer = RunTokenizer.Find(run, config.Data.Tokenizer ?? "") is { } model ? Tokenizer.Load(model) : null;
                var step = curriculum.StepAround(tokens);
                var view = new PositionView(config, curriculum, tokenizer, []);
                return new FedPosition(
                    null,
                    step.ConsumedTokens,
                    step.Tokens,
                    [.. view.Head(step)],
                    [.. view.Samples(step, Samples, PreviewTokens)],
                    [
                        .. curriculum
                            .LedgerAt(step.ConsumedTokens, [])
                            .Sources.Select(total => new FedSource(
                                curriculum.Sources[total.Source].Name,
                                total.FedTokens,
                                total.Epochs,
                                total.SkippedTokens
                            )),
                    ]
                );
            }
            catch (Exception error) when (error is UserErrorException or IOException or UnauthorizedAccessException or InvalidDataException)
            {
                return FedPosition.Without(error.Message);
            }
        }
    }
}
