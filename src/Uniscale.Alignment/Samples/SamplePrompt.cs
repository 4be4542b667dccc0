using Uniscale.Alignment.Prompts;
using Uniscale.Configuration;
using Uniscale.Corpus.Chat;

namespace Uniscale.Alignment.Samples;

/// <summary>A prompt of a file, whose answers are written down while a run goes on.</summary>
/// <param name="Number">Its place among those of the files that an answer fits behind, from 0.</param>
/// <param name="Messages">The chat before the answer.</param>
/// <param name="Prompt">The same as tokens, and the reference answer.</param>
public sealed record SamplePrompt(int Number, IReadOnlyList<ChatMessage> Messages, ChatPrompt Prompt)
{
    /// <summary>The prompts that <c>rollout.samples</c> names, spread evenly over the files.</summary>
    /// <param name="configuration">The run.</param>
    /// <param name="chats">Writes prompts as tokens.</param>
    /// <exception cref="UserErrorException">A file is missing or damaged, or holds no prompt that an answer fits behind.</exception>
    public static IReadOnlyList<SamplePrompt> Read(RunConfiguration configuration, ChatTokenizer chats)
    {
        var section = configuration.Rollout.Samples;
        if (section.Prompts.Count == 0)
            return [];
        var options = new ChatOptions
        {
            Format = section.Format,
            Template = chats.Template,
            Context = configuration.Model.Context,
            Domain = section.Domain,
        };
        if (!ChatOptions.Formats.Contains(section.Format) || options.Compares)
            throw new UserErrorException(
                $"rollout.samples.format is '{section.Format}', which is no form of prompts: set it to {string.Join(", ", ChatOptions.Formats.Where(name => name != "preference"))}."
            );
        options.Check();
        int room = configuration.Model.Context - configuration.Rollout.MaxTokens - ScoreTokens(configuration, chats);
        var all = new List<SamplePrompt>();
        foreach (var sample in new ChatReader(options, chats).Read(section.Prompts))
            if (sample is { Reason: null, Truncated: 0 } && Of(all.Count, sample) is { } prompt && prompt.Prompt.Tokens.Length <= room)
                all.Add(prompt);
        if (all.Count == 0)
            throw new UserErrorException(
                $"{string.Join(", ", section.Prompts)} (rollout.samples.prompts) hold no prompt with a reference answer that leaves room for an answer of {configuration.Rollout.MaxTokens} tokens: check rollout.samples.format ({section.Format}), or lower rollout.max_tokens."
            );
        int count = section.Count > 0 ? Math.Min(section.Count, all.Count) : all.Count;
        return [.. Enumerable.Range(0, count).Select(i => all[(int)((long)i * all.Count / count)])];
    }

    private static SamplePrompt? Of(int number, TokenizedSample sample)
    {
        var (chat, messages) = (sample.Chats[0], sample.Source!.Answers[0]);
        if (PromptSource.Split(chat.Tokens, chat.Marks) is not var (prompt, answer))
            return null;
        int last = messages.Count - 1;
        while (!messages[last].IsLearned)
            last--;
        return new SamplePrompt(number, [.. messages.Take(last)], new ChatPrompt(sample.Domain, prompt, answer));
    }

    /// <summary>Tokens that a reward model reads besides prompt and answer, at most.</summary>
    private static int ScoreTokens(RunConfiguration configuration, ChatTokenizer chats) =>
        configuration.ReadsScores ? new Rewards.AnswerScorer(configuration, chats).MoreTokens : 0;
}
