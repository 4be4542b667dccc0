using Uniscale.Alignment.Rollouts;
using Uniscale.Configuration;
using Uniscale.Corpus.Chat;
using Uniscale.Data;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Alignment.Rewards;

/// <summary>Asks the reward model for the scores of answers. Its input is made where that of its training is.</summary>
/// <param name="configuration">The run.</param>
/// <param name="chats">Writes the input.</param>
public sealed class AnswerScorer(RunConfiguration configuration, ChatTokenizer chats)
{
    private readonly int _context = configuration.Model.Context;

    /// <summary>Tokens that the input has more than prompt and answer, at most.</summary>
    public int MoreTokens =>
        new string?[] { null }
            .Concat(configuration.RewardModel.Conditions.Values)
            .Max(condition => chats.EncodeScored([], [], isEnded: true, condition).Length);

    /// <summary>Scores answers. Collective.</summary>
    public void Score(RankRuntime runtime, IReadOnlyList<DrawnAnswer> answers)
    {
        int[][] inputs = [.. answers.Select(Input)];
        var packs = BestFit.Pack([.. inputs.Select(input => input.Length)], _context);
        foreach (var part in packs.Chunk(configuration.Batch.Global))
        {
            var source = new ScorePacks([.. part.Select(pack => pack.Select(item => inputs[item]).ToArray())], _context);
            var plan = source.StepAt(0) with { Sequences = configuration.Batch.Global };
            double[] scores = runtime.ReadScores(source, plan);
            double[]? heldOut = configuration.ReadsHeldOutScores ? runtime.ReadScores(source, plan, isHeldOut: true) : null;
            for (int pack = 0; pack < part.Length; pack++)
            {
                int end = pack * _context;
                foreach (int item in part[pack])
                {
                    end += inputs[item].Length;
                    (answers[item].Score, answers[item].HeldOutScore) = (scores[end - 1], heldOut?[end - 1]);
                }
            }
        }
    }

    private int[] Input(DrawnAnswer answer) =>
        chats.EncodeScored(
            answer.Prompt.Tokens,
            answer.Tokens,
            answer.IsEnded,
            configuration.RewardModel.Conditions.GetValueOrDefault(answer.Prompt.Domain)
        );

    /// <summary>Inputs in packs, each a document; nothing is learned.</summary>
    private sealed class ScorePacks(int[][][] packs, int context) : IRolloutSource
    {
        public string Fingerprint => "";

        public bool HasMarks => true;

        public StepPlan StepAt(long consumedTokens) => new(0, 0, packs.Length, context, 0, 0, (long)packs.Length * context);

        public int FilledSequences(StepPlan step) => packs.Length;

        public int ReadColumns(StepPlan step, long index, Span<double> columns)
        {
            columns.Clear();
            return 0;
        }

        public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks) => marks.Clear();

        public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
        {
            tokens.Clear();
            int at = 0,
                document = 0;
            foreach (int[] input in index < packs.Length ? packs[index] : [])
            {
                input.CopyTo(tokens[at..]);
                if (!documents.IsEmpty)
                    documents.Slice(at, input.Length).Fill(document);
                at += input.Length;
                document++;
            }
            if (!documents.IsEmpty)
                documents[at..].Fill(document);
        }
    }
}
