using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Dashboard.Safety;
using Uniscale.Data;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Curricula;

/// <summary>What <c>uniscale curriculum show --text</c> prints of a position, for the dashboard.</summary>
internal sealed class CurriculumText : ICurriculumText
{
    private const int Samples = 8;

    private readonly Lock _gate = new();

    /// <inheritdoc/>
    public string At(string run, long tokens)
    {
        // One at a time: opening shards is work.
        lock (_gate)
        {
            try
            {
                var config = ConfigurationLoader.LoadStored(Path.Combine(run, RunFolder.ConfigurationFile), run).Value;
                using var curriculum = Curriculum.FromConfiguration(config);
                if (tokens < 0 || tokens >= curriculum.TotalTokens)
                    return string.Create(CultureInfo.InvariantCulture, $"The run ends with {curriculum.TotalTokens:N0} tokens.");
                using var tokenizer = config.Data.Tokenizer is { } model ? Tokenizer.Load(model) : null;
                using var text = new StringWriter(CultureInfo.InvariantCulture);
                new PositionView(config, curriculum, tokenizer, [], text).Print(tokens, Samples);
                return text.ToString();
            }
            catch (Exception error) when (error is UserErrorException or IOException or UnauthorizedAccessException or InvalidDataException)
            {
                return error.Message;
            }
        }
    }
}
