using System.Globalization;

namespace Uniscale.Training.Feeding;

/// <summary>Where a run is: with the configuration, all that a resumed run needs besides the tensors.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="ConsumedTokens">Tokens fed in them.</param>
/// <param name="Updates">Updates applied: steps less those that were left out because loss or norm was not finite.</param>
public sealed record TrainingPosition(long Step, long ConsumedTokens, long Updates)
{
    private const string UpdatesKey = "optimizer.updates";

    /// <summary>The beginning of a run.</summary>
    public static TrainingPosition Start { get; } = new(0, 0, 0);

    /// <summary>What a checkpoint keeps of the position besides step and tokens.</summary>
    public IReadOnlyDictionary<string, string> ToExtra() =>
        new Dictionary<string, string> { [UpdatesKey] = Updates.ToString(CultureInfo.InvariantCulture) };

    /// <summary>The position that a checkpoint was saved at.</summary>
    public static TrainingPosition FromCheckpoint(long step, long consumedTokens, IReadOnlyDictionary<string, string> extra) =>
        new(
            step,
            consumedTokens,
            extra.TryGetValue(UpdatesKey, out string? updates) ? long.Parse(updates, CultureInfo.InvariantCulture) : step
        );
}
