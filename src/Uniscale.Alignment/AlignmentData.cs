using Uniscale.Alignment.Prompts;
using Uniscale.Alignment.Rewards;
using Uniscale.Alignment.Rollouts;
using Uniscale.Configuration;
using Uniscale.Corpus.Chat;
using Uniscale.Data;
using Uniscale.Training.Feeding;

namespace Uniscale.Alignment;

/// <summary>The data of every objective: that of training, and prompts where the model draws its answers itself.</summary>
public static class AlignmentData
{
    /// <summary>Opens the data of a configuration.</summary>
    /// <exception cref="UserErrorException">Something is missing, damaged, or does not fit together.</exception>
    public static TrainingData Open(RunConfiguration configuration)
    {
        if (!configuration.Objective.DrawsAnswers()) return TrainingData.Open(configuration);
        int vocabulary = TrainingData.VocabularyOf(configuration);
        IReadOnlyList<PromptSource> sources = [.. configuration.Data.Sources.Select(section => PromptSource.Open(section, configuration, vocabulary))];
        if (sources.Count == 0) throw new UserErrorException("There are no prompts: name at least one source in data.sources.");
        CheckRoom(configuration, sources);
        var reader = ReaderOf(configuration);
        CheckNumbers(configuration, sources, reader);
        var source = new RolloutSource(configuration, new PromptOrder(sources, configuration.Train.Seed), reader) { Warnings = [.. Warnings(configuration, sources)] };
        return new TrainingData(source, source.RunTokens, vocabulary);
    }

    /// <summary>What reads and rewards answers.</summary>
    internal static AnswerReader ReaderOf(RunConfiguration configuration)
    {
        string path = configuration.Data.Tokenizer ?? throw new UserErrorException("Answers are read as text, but data.tokenizer is not set: name the run's tokenizer.");
        var tokenizer = Tokenizer.Load(path);
        var stops = new ChatTokenizer(ChatTemplate.Of(configuration.Rollout.Template), tokenizer).StopTokens;
        return new AnswerReader([.. configuration.Rewards.Select(RewardRule.Of)], tokenizer, stops, configuration.Rollout.MissingEndPenalty);
    }

    private static IEnumerable<string> Warnings(RunConfiguration configuration, IReadOnlyList<PromptSource> sources)
    {
        if (configuration.Rollout.TopP < 1)
            yield return $"rollout.top_p is {configuration.Rollout.TopP}: answers are not drawn from the policy itself, so that objective/kl may be negative and ratios are biased; val/cut_mass tells the probability that is cut off.";
        foreach (var source in sources.Where(source => source.LeftOut > 0))
            yield return $"{source.LeftOut} prompts of the data source '{source.Name}' leave no room for an answer of {configuration.Rollout.MaxTokens} tokens and are left out.";
    }

    /// <summary>The packs of an update must hold its answers, whatever is drawn.</summary>
    private static void CheckRoom(RunConfiguration configuration, IReadOnlyList<PromptSource> sources)
    {
        var rollout = configuration.Rollout;
        int longest = sources.Max(source => source.Prompts.Max(prompt => prompt.Tokens.Length)) + rollout.MaxTokens;
        int answers = rollout.Prompts / rollout.Minibatches * configuration.Grpo.Group, needed = RolloutBatch.MostPacks(answers, longest, configuration.Model.Context);
        if (needed > configuration.Batch.Global)
        {
            throw new UserErrorException(
                $"batch.global is {configuration.Batch.Global}, but the {answers} answers of an update, of up to {longest} tokens with their prompts, may need {needed} sequences of {configuration.Model.Context}: set batch.global to {needed} or more, or raise rollout.minibatches.");
        }
    }

    private static void CheckNumbers(RunConfiguration configuration, IReadOnlyList<PromptSource> sources, AnswerReader reader)
    {
        if (configuration.Rewards.All(rule => rule.Kind != RewardKind.Number)) return;
        foreach (var source in sources)
            if (source.Prompts.All(prompt => RewardRule.LastNumber(reader.TextOf(prompt.Reference)) is null))
                throw new UserErrorException($"rewards has kind number, but no reference answer of the data source '{source.Name}' has a number: reward another kind, or take the source out.");
    }
}
