using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Generation;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Exams;

/// <summary>Makes the requests of a question.</summary>
/// <param name="rules">The exam's rules.</param>
/// <param name="tokenizer">The model's tokenizer; not owned.</param>
/// <param name="context">Tokens that the model sees at most.</param>
/// <param name="shots">Questions with answers before each question.</param>
public sealed class PromptBuilder(ExamRules rules, Tokenizer tokenizer, int context, int shots)
{
    /// <summary>The token before every text: the one that ends a document or begins one; null: the tokenizer has neither.</summary>
    public int? Prefix { get; } = TextStart.Of(tokenizer);

    /// <summary>Prompts that did not fit the context whole.</summary>
    public int Truncated { get; private set; }

    /// <summary>One request an option, and with whole options a second one each: of the option without the prompt.</summary>
    public IReadOnlyList<LogLikelihoodRequest> Requests(Subject subject, Question question)
    {
        if (question.Options.Count == 0)
            throw new UserErrorException($"Question {question.Id} has no options, so no option of it can be scored.");
        var letters = Enumerable.Range(0, question.Options.Count).Select(i => Question.LetterOf(i).ToString());
        return rules.Scoring switch
        {
            Scoring.Option =>
            [
                .. question.Options.Select(option =>
                    Pair(subject, question, rules.Delimiter + Something(option, question), options: false)
                ),
                .. question.Options.Select(option => Fit(First(), tokenizer.Encode(Something(option, question)))),
            ],
            Scoring.Perplexity =>
            [
                .. letters.Select(letter =>
                {
                    int[] text = tokenizer.Encode(
                        Prompt(subject, question, Fitting(subject, question, letter), options: true) + rules.Delimiter + letter
                    );
                    return Prefix is { } prefix ? Fit([prefix], text) : Fit(text[..1], text[1..]);
                }),
            ],
            _ => [.. letters.Select(letter => Pair(subject, question, rules.Delimiter + letter, options: true))],
        };
    }

    /// <summary>What the model is to write from, for each text that it writes for the question.</summary>
    public IReadOnlyList<GenerationRequest> Written(Subject subject, Question question)
    {
        // A prompt leaves at least half of the context to the answer.
        int room = Math.Min(question.AnswerTokens ?? rules.AnswerTokens, Math.Max(1, context / 2)),
            most = context - room;
        int count = Fitting(subject, question, "", most);
        string prompt = Prompt(subject, question, count, options: true).TrimEnd(' ');
        int[] tokens = [.. Prefix is { } prefix ? [prefix] : Array.Empty<int>(), .. tokenizer.Encode(prompt)];
        if (tokens.Length > most)
            (tokens, Truncated) = (rules.TruncatesMiddle ? WithoutMiddle(tokens, most) : tokens[^most..], Truncated + 1);
        return
        [
            .. Enumerable
                .Range(0, rules.Samples)
                .Select(sample => new GenerationRequest(tokens)
                {
                    Sampling =
                        rules.Temperature == 0 ? SamplingOptions.Greedy : new SamplingOptions(rules.Temperature, TopP: 1, Seed: sample),
                    MaxTokens = room,
                    StopTokens =
                        tokenizer.EndId >= 0
                            ?
                            [
                                [tokenizer.EndId],
                            ]
                            : [],
                    StopTexts =
                        rules.Stops.Count > 0 ? rules.Stops
                        : rules.Separator.Length > 0 ? [rules.Separator]
                        : [],
                }),
        ];
    }

    /// <summary>As many tokens of the begin as of the end (LongBench).</summary>
    private static int[] WithoutMiddle(int[] tokens, int most) => [.. tokens[..(most / 2)], .. tokens[^(most - most / 2)..]];

    private static string Something(string option, Question question) =>
        option.Length > 0 ? option : throw new UserErrorException($"Question {question.Id} has an empty option, which has no likelihood.");

    /// <summary>The prompt as text.</summary>
    public string Prompt(Subject subject, Question question, int shotCount, bool options)
    {
        var text = new StringBuilder(rules.Header(subject));
        for (int i = 0; i < shotCount; i++)
        {
            if (i > 0 && rules.HeaderOfEachShot)
                text.Append(rules.Header(subject));
            var shot = subject.Shots[i];
            text.Append(rules.Question(shot, subject, options))
                .Append(rules.Delimiter)
                .Append(
                    options || shot.Options.Count == 0 ? shot.Shown ?? shot.Target
                    : shot.Answers.Count > 0 ? shot.Options[shot.Answers[0]]
                    : ""
                )
                .Append(rules.Separator);
        }
        if (shotCount > 0 && rules.HeaderOfEachShot)
            text.Append(rules.Header(subject));
        return text.Append(rules.Question(question, subject, options)).ToString();
    }

    /// <summary>
    /// Context and continuation are encoded together and parted where the context ends; blanks at the end of the context belong to the
    /// continuation (as in
    /// lm-evaluation-harness).
    /// </summary>
    private LogLikelihoodRequest Pair(Subject subject, Question question, string continuation, bool options)
    {
        string prompt = Prompt(subject, question, Fitting(subject, question, continuation), options),
            trimmed = prompt.TrimEnd(' ');
        continuation = prompt[trimmed.Length..] + continuation;
        int[] before = tokenizer.Encode(trimmed),
            whole = tokenizer.Encode(trimmed + continuation);
        if (whole.Length <= before.Length)
            throw new UserErrorException(
                $"Question {question.Id}: the answer '{continuation}' has no token of its own behind the prompt with this tokenizer."
            );
        return Fit([.. Prefix is { } prefix ? [prefix] : Array.Empty<int>(), .. before], whole[before.Length..]);
    }

    private int Fitting(Subject subject, Question question, string answer, int? most = null)
    {
        int count = Math.Min(shots, subject.Shots.Count);
        if (!rules.DropsShots)
            return count;
        while (
            count > 0
            && tokenizer.Encode(Prompt(subject, question, count, rules.Scoring != Scoring.Option) + answer).Length + 1 > (most ?? context)
        )
            count--;
        return count;
    }

    private int[] First() =>
        Prefix is { } prefix
            ? [prefix]
            : throw new UserErrorException(
                "The tokenizer has neither an end nor a begin of text, so a text without a prompt has no first token: choose another scoring."
            );

    /// <summary>Leaves out what is too early for the model's context.</summary>
    private LogLikelihoodRequest Fit(int[] before, int[] continuation)
    {
        int excess = before.Length + continuation.Length - 1 - context;
        if (excess <= 0)
            return new LogLikelihoodRequest(before, continuation);
        Truncated++;
        return excess < before.Length
            ? new LogLikelihoodRequest(before[excess..], continuation)
            : throw new UserErrorException($"An answer of {continuation.Length} tokens does not fit the model's context of {context}.");
    }
}
