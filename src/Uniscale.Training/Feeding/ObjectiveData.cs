using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Training.Feeding;

/// <summary>Whether data is of the kind that an objective learns from.</summary>
public static class ObjectiveData
{
    /// <summary>Refuses a source that an objective cannot read.</summary>
    /// <exception cref="UserErrorException">The source is of another kind.</exception>
    public static void Check(ObjectiveKind objective, TokenSource source)
    {
        bool compares = objective.ComparesAnswers();
        bool holdsComparisons = source.Packs is (PackKind.Comparisons, _);
        if (compares == holdsComparisons || source.IsVirtual)
            return;
        string name = objective.ToString().ToLowerInvariant();
        throw new UserErrorException(
            compares
                ? $"objective is {name}, but the data source '{source.Name}' has no comparisons of answers: make it with `uniscale data chat --format preference`."
                : $"objective is {name}, but the data source '{source.Name}' has comparisons of answers: set objective to reward or dpo, or make samples with `uniscale data chat`."
        );
    }

    /// <summary>Refuses sources that an objective cannot learn from.</summary>
    /// <exception cref="UserErrorException">One is of another kind, or fine-tuning has no answers.</exception>
    public static void Check(ObjectiveKind objective, IReadOnlyList<TokenSource> sources)
    {
        foreach (var source in sources)
            Check(objective, source);
        if (objective.DrawsAnswers() && sources.FirstOrDefault(source => source.Packs is null) is { } text)
            throw new UserErrorException(
                $"objective is {objective.ToString().ToLowerInvariant()}, but the data source '{text.Name}' has no prompts: make it with `uniscale data chat --format prompt`."
            );
        if (objective == ObjectiveKind.Sft && sources.All(source => source.Packs is null))
            throw new UserErrorException(
                "objective is sft, but no data source has answers that are learned: make one with `uniscale data chat`, or set objective to pretrain."
            );
    }
}
