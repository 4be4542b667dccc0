using Uniscale.Corpus.Chat;
using Uniscale.Data;
using Uniscale.Engine.Model;

namespace Uniscale.Alignment.Rollouts;

/// <summary>
/// Answers that were drawn with the same weights, in packs: each minibatch has its own, so that a pass over the batch is divided by
/// prompts.
/// A pack holds whole samples (prompt and answer), each a document, and padding.
/// </summary>
public sealed class RolloutBatch
{
    private readonly IReadOnlyList<IReadOnlyList<IReadOnlyList<DrawnAnswer>>> _packs; // [minibatch][pack][answer]
    private readonly int _context;

    /// <param name="number">Number of the batch in the run.</param>
    /// <param name="answers">The answers, prompt by prompt.</param>
    /// <param name="minibatches">Minibatches, of as many answers each.</param>
    /// <param name="context">Tokens of a pack.</param>
    public RolloutBatch(long number, IReadOnlyList<DrawnAnswer> answers, int minibatches, int context)
    {
        (Number, Answers, _context) = (number, answers, context);
        _packs =
        [
            .. answers
                .Chunk(answers.Count / minibatches)
                .Select(part =>
                    (IReadOnlyList<IReadOnlyList<DrawnAnswer>>)
                        [
                            .. BestFit
                                .Pack([.. part.Select(answer => answer.Length)], context)
                                .Select(pack => (IReadOnlyList<DrawnAnswer>)[.. pack.Select(item => part[item])]),
                        ]
                ),
        ];
    }

    /// <summary>Number of the batch in the run.</summary>
    public long Number { get; }

    /// <summary>The answers, prompt by prompt.</summary>
    public IReadOnlyList<DrawnAnswer> Answers { get; }

    /// <summary>Minibatches.</summary>
    public int Minibatches => _packs.Count;

    /// <summary>Packs of a minibatch.</summary>
    public int PacksOf(int minibatch) => _packs[minibatch].Count;

    /// <summary>What the loss of a minibatch is a mean over: its answers, or their tokens.</summary>
    public int CountOf(int minibatch, bool isMeanOfAnswers) =>
        _packs[minibatch].Sum(pack => isMeanOfAnswers ? pack.Count : pack.Sum(answer => answer.Tokens.Length));

    /// <summary>
    /// Packs that hold any answers of at most so many tokens, however long each is: a pack that has fewer than fit has room for one more.
    /// </summary>
    public static int MostPacks(int answers, int longest, int context) => (answers + (context / longest) - 1) / (context / longest);

    /// <summary>Copies a pack; one behind the last is empty.</summary>
    /// <param name="minibatch">Of which minibatch.</param>
    /// <param name="pack">Which.</param>
    /// <param name="tokens">Receives the tokens, context + 1; padding is 0.</param>
    /// <param name="documents">Receives the document of each; may be empty.</param>
    /// <param name="marks">Receives the marks; may be empty.</param>
    public void Read(int minibatch, int pack, Span<int> tokens, Span<int> documents, Span<TokenMarks> marks)
    {
        tokens.Clear();
        documents.Clear();
        marks.Clear();
        int at = 0,
            document = 0;
        foreach (var answer in Pack(minibatch, pack))
        {
            int prompt = answer.Prompt.Tokens.Length;
            if (!tokens.IsEmpty)
                answer.Prompt.Tokens.CopyTo(tokens[at..]);
            if (!tokens.IsEmpty)
                answer.Tokens.CopyTo(tokens[(at + prompt)..]);
            if (!documents.IsEmpty)
                documents.Slice(at, answer.Length).Fill(document);
            if (!marks.IsEmpty)
                marks.Slice(at + prompt, answer.Tokens.Length).Fill(TokenMarks.Learned);
            at += answer.Length;
            document++;
        }
        if (!documents.IsEmpty)
            documents[at..].Fill(document);
    }

    /// <summary>Copies the numbers of a pack, [<see cref="RolloutColumn"/>, context]; returns its answers.</summary>
    /// <param name="minibatch">Of which minibatch.</param>
    /// <param name="pack">Which.</param>
    /// <param name="columns">Receives them, zeros where no answer is.</param>
    /// <param name="isMeanOfAnswers">The tokens of an answer weigh 1 together, otherwise 1 each.</param>
    public int ReadColumns(int minibatch, int pack, Span<double> columns, bool isMeanOfAnswers)
    {
        columns.Clear();
        int at = 0;
        foreach (var answer in Pack(minibatch, pack))
        {
            // A place speaks for the token behind it.
            int first = at + answer.Prompt.Tokens.Length - 1;
            Column(columns, RolloutColumn.Weight).Slice(first, answer.Tokens.Length).Fill(isMeanOfAnswers ? 1.0 / answer.Tokens.Length : 1);
            Put(answer.Old, Column(columns, RolloutColumn.Old)[first..]);
            Put(answer.Reference, Column(columns, RolloutColumn.Reference)[first..]);
            Put(answer.Advantages, Column(columns, RolloutColumn.Advantage)[first..]);
            Put(answer.Values, Column(columns, RolloutColumn.Value)[first..]);
            Put(answer.Returns, Column(columns, RolloutColumn.Return)[first..]);
            at += answer.Length;
        }
        return Pack(minibatch, pack).Count;
    }

    /// <summary>Deals numbers that were found at the places of a minibatch to its answers.</summary>
    /// <param name="minibatch">Which.</param>
    /// <param name="found">[packs, context], as <see cref="Uniscale.Training.Runtime.RankRuntime.Read"/> gives them.</param>
    /// <param name="take">Takes an answer and its numbers, one a token.</param>
    public void Deal(int minibatch, ReadOnlySpan<double> found, Action<DrawnAnswer, double[]> take)
    {
        for (int pack = 0; pack < PacksOf(minibatch); pack++)
        {
            int at = pack * _context;
            foreach (var answer in Pack(minibatch, pack))
            {
                take(answer, found.Slice(at + answer.Prompt.Tokens.Length - 1, answer.Tokens.Length).ToArray());
                at += answer.Length;
            }
        }
    }

    private IReadOnlyList<DrawnAnswer> Pack(int minibatch, int pack) => pack < _packs[minibatch].Count ? _packs[minibatch][pack] : [];

    private Span<double> Column(Span<double> columns, RolloutColumn column) => columns.Slice((int)column * _context, _context);

    private static void Put(double[] numbers, Span<double> places) => numbers.CopyTo(places);
}
