using System.Runtime.ExceptionServices;

namespace Uniscale.Data;

/// <summary>
/// Reads the next step while this one trains. One belongs to each rank. Which samples of a step the rank takes is learned from the step
/// before,
/// so any layout is served; a sample that was not foreseen is read when it is asked for.
/// </summary>
/// <param name="source">The data; shared by the ranks of a process.</param>
/// <param name="endTokens">Consumed tokens at which the run ends; nothing is read beyond.</param>
/// <param name="withDocuments">The rank asks for document numbers.</param>
public sealed class PrefetchingSource(ISequenceSource source, long endTokens, bool withDocuments) : ISequenceSource, IDisposable
{
    private readonly Lock _lock = new();
    private StepSamples? _current;
    private StepSamples? _next;
    private StepSamples? _idle;

    /// <inheritdoc/>
    public string Fingerprint => source.Fingerprint;

    /// <inheritdoc/>
    public string FingerprintAt(long consumedTokens) => source.FingerprintAt(consumedTokens);

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> SourceFingerprints => source.SourceFingerprints;

    /// <inheritdoc/>
    public StepPlan StepAt(long consumedTokens) => source.StepAt(consumedTokens);

    /// <inheritdoc/>
    public long StepsBetween(long consumedTokens, long endTokens) => source.StepsBetween(consumedTokens, endTokens);

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
    {
        var sample = Enter(step).Get(index);
        sample.Tokens.CopyTo(tokens);
        if (!documents.IsEmpty)
            sample.Documents.CopyTo(documents);
    }

    /// <inheritdoc/>
    public bool HasMarks => source.HasMarks;

    /// <inheritdoc/>
    public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks) => Enter(step).Get(index).Marks.CopyTo(marks);

    /// <inheritdoc/>
    public IReadOnlyList<string> Domains => source.Domains;

    /// <inheritdoc/>
    public int DomainOf(StepPlan step, long index) => source.DomainOf(step, index);

    /// <inheritdoc/>
    public IReadOnlyList<MixtureShare> MixtureAt(long consumedTokens) => source.MixtureAt(consumedTokens);

    /// <summary>Waits for the reading under way.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _current?.Wait();
            _next?.Wait();
        }
    }

    /// <summary>Makes a step the current one, and begins to read the one after it.</summary>
    private StepSamples Enter(StepPlan step)
    {
        lock (_lock)
        {
            if (_current?.Step == step)
                return _current;
            var before = _current;
            _current = _next?.Step == step ? _next : Take(step);
            _next = null;
            long after = step.ConsumedTokens + step.Tokens;
            if (after < endTokens && before is not null)
                (_next = Take(source.StepAt(after))).Prefetch(before);
            _idle = before;
            return _current;
        }
    }

    /// <summary>Samples of a step, in the memory of one that is over where nothing is read into it any more.</summary>
    private StepSamples Take(StepPlan step)
    {
        var samples = _idle is { IsReading: false } over ? over : new StepSamples(source, withDocuments);
        _idle = null;
        samples.Begin(step);
        return samples;
    }

    /// <summary>A sample, read by whoever comes first. An error stays with its sample and is thrown when that is asked for.</summary>
    private sealed class Sample
    {
        private readonly Lock _gate = new();
        private long _index;
        private bool _isRead;
        private ExceptionDispatchInfo? _error;

        public int[] Tokens { get; private set; } = [];

        public int[] Documents { get; private set; } = [];

        /// <summary>The sample's marks; empty where the data has none.</summary>
        public TokenMarks[] Marks { get; private set; } = [];

        public bool WasAsked { get; set; }

        public void Begin(long index, int length, bool withDocuments, bool withMarks)
        {
            if (Tokens.Length != length)
                Tokens = new int[length];
            if (withDocuments && Documents.Length != length)
                Documents = new int[length];
            if (withMarks && Marks.Length != length)
                Marks = new TokenMarks[length];
            _index = index;
            _isRead = false;
            _error = null;
            WasAsked = false;
        }

        public void Read(ISequenceSource source, StepPlan step)
        {
            lock (_gate)
            {
                _error?.Throw();
                if (_isRead)
                    return;
                try
                {
                    source.Read(step, _index, Tokens, Documents);
                    if (Marks.Length > 0)
                        source.ReadMarks(step, _index, Marks);
                }
                catch (Exception error)
                {
                    _error = ExceptionDispatchInfo.Capture(error);
                    throw;
                }
                _isRead = true;
            }
        }
    }

    /// <summary>The samples of a step that were read or are being read. A later step takes their memory over.</summary>
    private sealed class StepSamples(ISequenceSource source, bool withDocuments)
    {
        private readonly Dictionary<long, Sample> _samples = [];
        private readonly Stack<Sample> _spare = new();

        // Not touched while it is read ahead; the dictionary may be.
        private readonly List<Sample> _ahead = [];
        private Task _reading = Task.CompletedTask;

        public StepPlan Step { get; private set; } = new(0, 0, 0, 0, 0, 0, 0);

        public bool IsReading => !_reading.IsCompleted;

        public void Begin(StepPlan step)
        {
            foreach (var sample in _samples.Values)
                _spare.Push(sample);
            _samples.Clear();
            _ahead.Clear();
            Step = step;
        }

        /// <summary>A sample that one thread at a time asks for.</summary>
        public Sample Get(long index)
        {
            if (!_samples.TryGetValue(index, out var sample))
                sample = Add(index);
            sample.WasAsked = true;
            sample.Read(source, Step);
            return sample;
        }

        /// <summary>Begins to read the samples at those places of the step that were asked for in another.</summary>
        public void Prefetch(StepSamples other)
        {
            foreach (var (index, sample) in other._samples)
            {
                long offset = index - other.Step.FirstSample;
                if (sample.WasAsked && offset < Step.Sequences)
                    _ahead.Add(Add(Step.FirstSample + offset));
            }
            _reading = Task.Run(ReadAhead);
        }

        /// <summary>Waits for the reading ahead.</summary>
        public void Wait() => ((IAsyncResult)_reading).AsyncWaitHandle.WaitOne();

        private void ReadAhead()
        {
            foreach (var sample in _ahead)
                sample.Read(source, Step);
        }

        private Sample Add(long index)
        {
            if (!_spare.TryPop(out var sample))
                sample = new Sample();
            sample.Begin(index, Step.Context + 1, withDocuments, source.HasMarks);
            _samples.Add(index, sample);
            return sample;
        }
    }
}
