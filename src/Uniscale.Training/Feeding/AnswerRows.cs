using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Model;
using static TorchSharp.torch;

namespace Uniscale.Training.Feeding;

/// <summary>
/// Finds the answers in the sequences of a microbatch and what is compared with what. Every rank sees whole sequences here and keeps its
/// places of them.
/// </summary>
/// <param name="view">This rank's share.</param>
/// <param name="context">Tokens in a sequence.</param>
internal sealed class AnswerRows(BatchView view, int context)
{
    private readonly List<long> _numbers = []; // of this rank's places, row by row
    private readonly List<double> _lengths = [];
    private readonly List<(long Better, long Worse, double Weight)> _pairs = [];

    /// <summary>Comparisons found.</summary>
    public int Comparisons { get; private set; }

    /// <summary>Takes the next sequence.</summary>
    /// <param name="marks">Marks of its tokens, context + 1.</param>
    /// <param name="documents">Documents of its tokens: an answer is one.</param>
    public void Add(ReadOnlySpan<TokenMarks> marks, ReadOnlySpan<int> documents)
    {
        var ofDocument = new Dictionary<int, long>();
        long[] scored = new long[context];
        scored.AsSpan().Fill(-1);
        var open = new List<long>();
        for (int i = 0; i < context; i++)
        {
            if (!marks[i].HasFlag(TokenMarks.Score))
                continue;
            scored[i] = ofDocument[documents[i]] = _lengths.Count;
            open.Add(_lengths.Count);
            _lengths.Add(1);
            if (!marks[i].HasFlag(TokenMarks.Last))
                continue;
            Compare(open);
            open.Clear();
        }
        long[] numbers = view.Objective == ObjectiveKind.Dpo ? LearnedPlaces(marks, documents, ofDocument) : scored;
        foreach (long place in view.Places)
            _numbers.Add(numbers[place]);
    }

    /// <summary>The answers as the head takes them.</summary>
    public AnswerSet ToAnswers() =>
        new()
        {
            Numbers = Give(tensor(_numbers.ToArray(), [_numbers.Count / view.Places.Count, view.Places.Count], ScalarType.Int64)),
            Count = Math.Max(1, _lengths.Count),
            Better = Give(
                _pairs.Count == 0 ? zeros([0], ScalarType.Int64) : tensor(_pairs.Select(pair => pair.Better).ToArray(), ScalarType.Int64)
            ),
            Worse = Give(
                _pairs.Count == 0 ? zeros([0], ScalarType.Int64) : tensor(_pairs.Select(pair => pair.Worse).ToArray(), ScalarType.Int64)
            ),
            Weights = Give(
                _pairs.Count == 0
                    ? zeros([0], ScalarType.Float64)
                    : tensor(_pairs.Select(pair => pair.Weight).ToArray(), ScalarType.Float64)
            ),
            Lengths = Give(tensor(_lengths.DefaultIfEmpty(1).ToArray(), ScalarType.Float64)),
        };

    /// <summary>Each answer with each worse one; together they count as one comparison (Ouyang et al., 2022).</summary>
    private void Compare(List<long> answers)
    {
        double weight = 2.0 / (answers.Count * (answers.Count - 1.0));
        for (int better = 0; better < answers.Count; better++)
            for (int worse = better + 1; worse < answers.Count; worse++)
                _pairs.Add((answers[better], answers[worse], weight));
        Comparisons += answers.Count > 1 ? 1 : 0;
    }

    /// <summary>A place speaks for the token behind it, where that is learned and of the same answer.</summary>
    private long[] LearnedPlaces(ReadOnlySpan<TokenMarks> marks, ReadOnlySpan<int> documents, Dictionary<int, long> ofDocument)
    {
        long[] numbers = new long[context];
        var counted = new Dictionary<long, double>();
        for (int i = 0; i < context; i++)
        {
            bool learned = marks[i + 1].HasFlag(TokenMarks.Learned) && documents[i + 1] == documents[i];
            numbers[i] = learned && ofDocument.TryGetValue(documents[i], out long number) ? number : -1;
            if (numbers[i] >= 0)
                counted[numbers[i]] = counted.GetValueOrDefault(numbers[i]) + 1;
        }
        foreach (var (number, length) in counted)
            _lengths[(int)number] = length;
        return numbers;
    }

    private Tensor Give(Tensor host) => view.Link.Upload(host).DetachFromDisposeScope();
}
