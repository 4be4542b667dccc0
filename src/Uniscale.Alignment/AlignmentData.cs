using Uniscale.Alignment.Prompts;
using Uniscale.Alignment.Rewards;
using Uniscale.Alignment.Rollouts;
using Uniscale.Alignment.Samples;
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
        if (!configuration.Objective.DrawsAnswers())
            return TrainingData.Open(configuration);
        int vocabulary = TrainingData.VocabularyOfShards(configuration);
        var text =
            configuration.Ppo.Ptx > 0 && configuration.Objective == ObjectiveKind.Ppo
                ? configuration.Data.Sources.Where(IsText).ToList()
                : [];
        IReadOnlyList<PromptSource> sources =
        [
            .. configuration.Data.Sources.Except(text).Select(section => PromptSource.Open(section, configuration, vocabulary)),
        ];
        if (configuration.Objective == ObjectiveKind.Ppo && configuration.Ppo.Ptx > 0 && text.Count == 0)
            throw new UserErrorException(
                "ppo.ptx is set, but no data source is plain text: name one in data.sources, or set ppo.ptx to 0."
            );
        if (sources.Count == 0)
            throw new UserErrorException("There are no prompts: name at least one source in data.sources.");
        CheckRoom(configuration, sources);
        var (reader, chats) = ReaderOf(configuration, sources);
        CheckNumbers(configuration, sources, reader);
        var stream = text.Count == 0 ? null : new TextStream(text, configuration, vocabulary);
        var source = new RolloutSource(configuration, new PromptOrder(sources, configuration.Train.Seed), reader, stream)
        {
            Warnings = [.. Warnings(configuration, sources)],
            Samples = SamplePrompt.Read(configuration, chats),
        };
        return new TrainingData(source, source.RunTokens, vocabulary);
    }

    /// <summary>What reads and rewards answers.</summary>
    private static (AnswerReader Reader, ChatTokenizer Chats) ReaderOf(
        RunConfiguration configuration,
        IReadOnlyList<PromptSource> sources
    )
    {
        string path =
            configuration.Data.Tokenizer
            ?? throw new UserErrorException("Answers are read as text, but data.tokenizer is not set: name the run's tokenizer.");
        var tokenizer = Tokenizer.Load(path);
        var template = ChatTemplate.Of(configuration.Rollout.Template);
        var chats = new ChatTokenizer(
            configuration.RewardModel.Token is { } token ? template with { RewardToken = token } : template,
            tokenizer
        );
        var scorer = configuration.ReadsScores ? new AnswerScorer(configuration, chats) : null;
        if (scorer is not null)
            CheckScores(configuration, sources, template, scorer);
        var reader = new AnswerReader(
            [.. configuration.Rewards.Select(RewardRule.Of)],
            tokenizer,
            chats.StopTokens,
            configuration.Rollout.MissingEndPenalty,
            scorer
        );
        return (reader, chats);
    }

    /// <summary>What the reward model reads must fit its sequences, and conditions must be turns of their own.</summary>
    private static void CheckScores(
        RunConfiguration configuration,
        IReadOnlyList<PromptSource> sources,
        ChatTemplate template,
        AnswerScorer scorer
    )
    {
        if (configuration.RewardModel.Conditions.Count > 0 && template.Roles.Any(turn => turn.BeforeBehindSystem is not null))
            throw new UserErrorException(
                $"reward_model.conditions are system messages, which the template {configuration.Rollout.Template} writes into the first turn of a prompt: take the conditions out, or use another template."
            );
        int longest = LongestOf(configuration, sources) + scorer.MoreTokens;
        if (longest > configuration.Model.Context)
            throw new UserErrorException(
                $"An answer with its prompt, the condition of reward_model and the reward token may have {longest} tokens, more than model.context {configuration.Model.Context}: lower rollout.max_tokens to {Math.Max(1, configuration.Rollout.MaxTokens - longest + configuration.Model.Context)}, or shorten prompts and conditions."
            );
    }

    private static int LongestOf(RunConfiguration configuration, IReadOnlyList<PromptSource> sources) =>
        sources.Max(source => source.Prompts.Max(prompt => prompt.Tokens.Length)) + configuration.Rollout.MaxTokens;

    private static bool IsText(SourceSection section)
    {
        using var source = TokenSource.Open(section);
        return source.Packs is null;
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
        int longest = LongestOf(configuration, sources),
            text = configuration.Objective == ObjectiveKind.Ppo ? configuration.Ppo.PtxSequences : 0;
        int answers = rollout.Prompts / rollout.Minibatches * configuration.AnswersPerPrompt,
            needed = RolloutBatch.MostPacks(answers, longest, configuration.Model.Context) + text;
        if (needed > configuration.Batch.Global)
        {
            throw new UserErrorException(
                $"batch.global is {configuration.Batch.Global}, but the {answers} answers of an update, of up to {longest} tokens with their prompts,{(text > 0 ? $" and {text} sequences of text" : "")} may need {needed} sequences of {configuration.Model.Context}: set batch.global to {needed} or more, or raise rollout.minibatches."
            );
        }
    }

    private static void CheckNumbers(RunConfiguration configuration, IReadOnlyList<PromptSource> sources, AnswerReader reader)
    {
        if (configuration.Rewards.All(rule => rule.Kind != RewardKind.Number))
            return;
        foreach (var source in sources)
            if (source.Prompts.All(prompt => RewardRule.LastNumber(reader.TextOf(prompt.Reference)) is null))
                throw new UserErrorException(
                    $"rewards has kind number, but no reference answer of the data source '{source.Name}' has a number: reward another kind, or take the source out."
                );
    }
}
