using Uniscale.Engine.Decoding;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Requests;

/// <summary>
/// Answers requests with a model. Those with the same context are answered together: one pass over it gives all continuations of one token,
/// and longer
/// ones go on from it. Contexts are read in their alphabetical order, each from where it parts from the one before, and those that are read
/// together copy their beginning from each other: what contexts have in common is computed once.
/// </summary>
/// <param name="model">The model; not owned.</param>
/// <param name="batch">Contexts that are read at a time.</param>
public sealed class LogLikelihoodReader(InferenceModel model, int batch = 16)
{
    /// <summary>The requests by context, in the order in which they are read.</summary>
    public static IReadOnlyList<IReadOnlyList<LogLikelihoodRequest>> Grouped(IEnumerable<LogLikelihoodRequest> requests)
    {
        var ordered = requests.ToList();
        ordered.Sort((a, b) => a.Context.AsSpan().SequenceCompareTo(b.Context));
        var groups = new List<List<LogLikelihoodRequest>>();
        foreach (var request in ordered)
        {
            if (groups.Count > 0 && groups[^1][0].Context.AsSpan().SequenceEqual(request.Context))
                groups[^1].Add(request);
            else
                groups.Add([request]);
        }
        return groups;
    }

    /// <summary>Answers the groups, as each is done.</summary>
    /// <param name="groups">See <see cref="Grouped"/>.</param>
    /// <param name="answer">Takes the sum of log-probabilities of a request's continuation.</param>
    public void Answer(IReadOnlyList<IReadOnlyList<LogLikelihoodRequest>> groups, Action<LogLikelihoodRequest, double> answer)
    {
        int width = Math.Min(batch, groups.Count);
        // Each slot reads neighbours, which begin alike.
        var slots = Enumerable
            .Range(0, width)
            .Select(i => new Slot(
                model,
                [.. groups.Skip(groups.Count * i / width).Take(groups.Count * (i + 1) / width - groups.Count * i / width)]
            ))
            .ToList();
        try
        {
            ReadBeginnings(slots);
            for (int round = 0; slots.Any(slot => slot.Has(round)); round++)
            {
                var active = slots.Where(slot => slot.Has(round)).ToList();
                model.Read([.. active.Select(slot => slot.Begin(round))], (part, _, logits) => active[part].TakeFirst(logits));
                for (int next = 0; active.Any(slot => slot.Longer.Count > next); next++)
                {
                    var longer = active.Where(slot => slot.Longer.Count > next).ToList();
                    model.Read(
                        [.. longer.Select(slot => slot.GoOn(next))],
                        (part, index, logits) => longer[part].Take(next, index, logits)
                    );
                }
                foreach (var slot in active)
                    slot.Give(answer);
            }
        }
        finally
        {
            foreach (var slot in slots)
                slot.Dispose();
        }
    }

    /// <summary>Neighbouring slots whose first contexts begin alike: one of them reads what they have in common for all.</summary>
    private void ReadBeginnings(List<Slot> slots)
    {
        var shared = new List<(Slot Reader, IReadOnlyList<Slot> Others, int Length)>();
        for (int first = 0; first < slots.Count;)
        {
            int[] context = slots[first].FirstContext;
            int length = context.Length,
                end = first + 1;
            while (end < slots.Count && Common(context, slots[end].FirstContext) is >= InferenceModel.WorthCopying and var common)
                (length, end) = (Math.Min(length, common), end + 1);
            if (end > first + 1)
                shared.Add((slots[first], slots[(first + 1)..end], length));
            first = end;
        }
        if (shared.Count == 0)
            return;
        model.Read([.. shared.Select(run => run.Reader.ReadBeginning(run.Length))], (_, _, _) => { });
        foreach (var (reader, others, length) in shared)
            foreach (var other in others)
                other.TakeBeginning(reader, length);
    }

    private static int Common(int[] a, int[] b) => a.AsSpan().CommonPrefixLength(b);

    /// <summary>A sequence that reads one context after the other.</summary>
    private sealed class Slot(InferenceModel model, IReadOnlyList<IReadOnlyList<LogLikelihoodRequest>> groups) : IDisposable
    {
        private readonly KeyValueCache _cache = model.NewSequence();
        private IReadOnlyList<LogLikelihoodRequest> _group = [];
        private int[] _context = [];
        private int[] _read = [];
        private double[] _sums = [];

        /// <summary>Numbers of the group's requests whose continuations have more than one token.</summary>
        public List<int> Longer { get; } = [];

        public int[] FirstContext => groups[0][0].Context;

        public bool Has(int round) => round < groups.Count;

        public SequencePart ReadBeginning(int length)
        {
            _read = FirstContext[..length];
            return new SequencePart(_cache, _read, Wanted: 0);
        }

        public void TakeBeginning(Slot other, int length)
        {
            _cache.CopyFrom(other._cache, length);
            _read = FirstContext[..length];
        }

        public SequencePart Begin(int round)
        {
            _group = groups[round];
            int[] context = _group[0].Context;
            int known = Math.Min(Common(context, _read), context.Length - 1);
            _cache.Truncate(known);
            _context = _read = context;
            _sums = new double[_group.Count];
            Longer.Clear();
            Longer.AddRange(Enumerable.Range(0, _group.Count).Where(i => _group[i].Continuation.Length > 1));
            return new SequencePart(_cache, context.AsMemory(known));
        }

        public void TakeFirst(ReadOnlySpan<float> logits)
        {
            double total = LogProbabilities.LogSumExp(logits);
            for (int i = 0; i < _sums.Length; i++)
                _sums[i] = logits[_group[i].Continuation[0]] - total;
        }

        public SequencePart GoOn(int next)
        {
            _cache.Truncate(_context.Length);
            int[] continuation = _group[Longer[next]].Continuation;
            // The next context may go on where this one ends.
            _read = [.. _context, .. continuation[..^1]];
            return new SequencePart(_cache, continuation.AsMemory(0, continuation.Length - 1), continuation.Length - 1);
        }

        public void Take(int next, int index, ReadOnlySpan<float> logits) =>
            _sums[Longer[next]] += LogProbabilities.Of(logits, _group[Longer[next]].Continuation[index + 1]);

        public void Give(Action<LogLikelihoodRequest, double> answer)
        {
            for (int i = 0; i < _sums.Length; i++)
                answer(_group[i], _sums[i]);
        }

        public void Dispose() => _cache.Dispose();
    }
}
