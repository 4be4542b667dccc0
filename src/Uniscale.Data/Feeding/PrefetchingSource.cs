using System.Collections.Concurrent;

namespace Uniscale.Data;

/// <summary>
/// Reads the next step while this one trains. One belongs to each rank. Which samples of a step the rank takes is learned from the step before,
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

    /// <inheritdoc/>
    public string Fingerprint => source.Fingerprint;

    /// <inheritdoc/>
    public string FingerprintAt(long consumedTokens) => source.FingerprintAt(consumedTokens);

    /// <inheritdoc/>
    public StepPlan StepAt(long consumedTokens) => source.StepAt(consumedTokens);

    /// <inheritdoc/>
    public long StepsBetween(long consumedTokens, long endTokens) => source.StepsBetween(consumedTokens, endTokens);

    /// <inheritdoc/>
    public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
    {
        Sample sample = Enter(step).Get(index);
        sample.Tokens.CopyTo(tokens);
        if (!documents.IsEmpty)
            sample.Documents.CopyTo(documents);
    }

    /// <summary>Waits for the reading under way.</summary>
    public void Dispose()
    {
        lock (_lock)
            _next?.Wait();
    }

    /// <summary>Makes a step the current one, and begins to read the one after it.</summary>
    private StepSamples Enter(StepPlan step)
    {
        lock (_lock)
        {
            if (_current?.Step == step)
                return _current;
            long[] offsets = _current?.Offsets ?? [];
            _current = _next?.Step == step ? _next : new StepSamples(source, step, withDocuments);
            _next = null;
            long after = step.ConsumedTokens + step.Tokens;
            if (after < endTokens && offsets.Length > 0)
                (_next = new StepSamples(source, source.StepAt(after), withDocuments)).Prefetch(offsets);
            return _current;
        }
    }

    private sealed record Sample(int[] Tokens, int[] Documents);

    /// <summary>The samples of a step that were read or are being read.</summary>
    private sealed class StepSamples(ISequenceSource source, StepPlan step, bool withDocuments)
    {
        private readonly ConcurrentDictionary<long, Lazy<Sample>> _samples = new();
        private readonly ConcurrentDictionary<long, bool> _asked = new();
        private Task _prefetch = Task.CompletedTask;

        public StepPlan Step => step;

        /// <summary>Places within the step of the samples that were asked for.</summary>
        public long[] Offsets => [.. _asked.Keys.Select(index => index - step.FirstSample)];

        public Sample Get(long index)
        {
            _asked.TryAdd(index, true);
            return At(index).Value;
        }

        public void Prefetch(long[] offsets) => _prefetch = Task.Run(() =>
        {
            foreach (long offset in offsets.Where(offset => offset < step.Sequences).Order())
                _ = At(step.FirstSample + offset).Value;
        });

        /// <summary>Waits; an error stays with its sample and is thrown when that is asked for.</summary>
        public void Wait() => ((IAsyncResult)_prefetch).AsyncWaitHandle.WaitOne();

        private Lazy<Sample> At(long index) => _samples.GetOrAdd(index, key => new Lazy<Sample>(() => Load(key)));

        private Sample Load(long index)
        {
            var sample = new Sample(new int[step.Context + 1], withDocuments ? new int[step.Context + 1] : []);
            source.Read(step, index, sample.Tokens, sample.Documents);
            return sample;
        }
    }
}
