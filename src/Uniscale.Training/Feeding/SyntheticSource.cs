using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Training.Feeding;

/// <summary>
/// Tokens out of a counter, for checks that need no corpus: sequences that repeat short random phrases, so that there is something to
/// learn,
/// with documents of uneven length. Where the objective learns from answers, sequences are packs of answers of uneven length, compared by
/// two and three.
/// </summary>
/// <param name="configuration">Batch, context and seed.</param>
/// <param name="vocabulary">Entries to draw from.</param>
public sealed class SyntheticSource(RunConfiguration configuration, long vocabulary) : ISequenceSource
{
    private const int PhraseCount = 64,
        PhraseTokens = 8;

    /// <inheritdoc/>
    public string Fingerprint => $"synthetic {configuration.Train.Seed} {vocabulary}";

    /// <inheritdoc/>
    public StepPlan StepAt(long consumedTokens)
    {
        int context = configuration.Model.Context,
            sequences = configuration.Batch.Global;
        long total = configuration.Train.Tokens > 0 ? configuration.Train.Tokens : configuration.Train.Steps * sequences * context;
        return new StepPlan(0, consumedTokens / context, sequences, context, consumedTokens, 0, total);
    }

    /// <inheritdoc/>
    public bool HasMarks => configuration.Objective != ObjectiveKind.Pretrain;

    /// <inheritdoc/>
    public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks) => ReadAnswers(index, marks, []);

    /// <summary>
    /// Comparisons one behind the other, and at the end what no further one fits into. The second half of each answer is learned.
    /// </summary>
    private void ReadAnswers(long index, Span<TokenMarks> marks, Span<int> documents)
    {
        ulong state = Mix((ulong)configuration.Train.Seed + 77 + (ulong)index);
        int length = Math.Max(marks.Length, documents.Length),
            document = 0;
        marks.Clear();
        for (int start = 0; ;)
        {
            state = Mix(state);
            int answers = 2 + (int)(state % 2),
                first = 3 + (int)((state >> 8) % 5),
                end = start + (answers * first) + answers;
            if (end >= length - 1)
            {
                if (!documents.IsEmpty)
                    documents[start..].Fill(document);
                return;
            }
            for (int answer = 0; answer < answers; answer++)
            {
                int tokens = first + (answer % 2);
                for (int i = 0; i < tokens; i++)
                {
                    if (!documents.IsEmpty)
                        documents[start + i] = document;
                    if (!marks.IsEmpty && i >= tokens / 2)
                        marks[start + i] = TokenMarks.Learned;
                }
                start += tokens;
                document++;
                if (!marks.IsEmpty && configuration.ComparesAnswers)
                    marks[start - 1] = TokenMarks.Score | (answer == answers - 1 ? TokenMarks.Last : TokenMarks.None);
            }
        }
    }

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
    {
        ReadTokens(index, tokens, documents);
        if (HasMarks && !documents.IsEmpty)
            ReadAnswers(index, [], documents);
    }

    private void ReadTokens(long index, Span<int> tokens, Span<int> documents)
    {
        ulong state = Mix((ulong)configuration.Train.Seed * 0x9E3779B97F4A7C15UL + (ulong)index);
        int document = 0;
        for (int i = 0; i < tokens.Length;)
        {
            state = Mix(state);
            ulong phrase = state % PhraseCount;
            int length = 3 + (int)((state >> 32) % PhraseTokens);
            if (state >> 61 == 0 && i > 0)
                document++;
            for (int j = 0; j < length && i < tokens.Length; j++, i++)
            {
                tokens[i] = (int)(Mix(phrase * 1000 + (ulong)j) % (ulong)vocabulary);
                if (!documents.IsEmpty)
                    documents[i] = document;
            }
        }
    }

    /// <summary>The finaliser of SplitMix64 (Steele et al., 2014).</summary>
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15UL;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9UL;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EBUL;
        return value ^ (value >> 31);
    }
}
