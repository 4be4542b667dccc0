using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Messages;
using Uniscale.NcclEmulation;

namespace Uniscale.Collectives.Tests.Nccl;

/// <summary>
/// A world whose buffers are written and read by compute on the device's own stream, as tensors on a device are: what an operation reads is
/// not there
/// yet when it is posted, and what it leaves is read as soon as <see cref="IWork.Wait"/> has returned, by the stream. So any of the two
/// orders
/// between communication and compute that is missing shows as a wrong result.
/// </summary>
internal sealed class StreamedWorld(IWorld inner, int device) : IWorld
{
    public int Rank => inner.Rank;

    public int Size => inner.Size;

    public IProcessGroup Group { get; } = new StreamedGroup(inner.Group, device);

    public IProcessGroup HostGroup => inner.HostGroup;

    public IMessages Messages => inner.Messages;

    public CollectiveJournal Journal => inner.Journal;

    public string? Failure => inner.Failure;

    public IProcessGroup? CreateGroup(IReadOnlyList<int> worldRanks, string name) =>
        inner.CreateGroup(worldRanks, name) is { } group ? new StreamedGroup(group, device) : null;

    public void Abort(string reason) => inner.Abort(reason);

    public void Dispose()
    {
        // The world belongs to its maker.
    }

    private sealed class StreamedGroup(IProcessGroup group, int device) : IProcessGroup
    {
        public string Name => group.Name;

        public int Rank => group.Rank;

        public int Size => group.Size;

        public IReadOnlyList<int> WorldRanks => group.WorldRanks;

        public IWork AllReduce(CommBuffer buffer, ReduceOp op = ReduceOp.Sum) =>
            Streamed(() => group.AllReduce(buffer, op), buffer, buffer);

        public IWork ReduceScatter(CommBuffer input, CommBuffer output, ReduceOp op = ReduceOp.Sum) =>
            Streamed(() => group.ReduceScatter(input, output, op), input, output);

        public IWork AllGather(CommBuffer input, CommBuffer output) => Streamed(() => group.AllGather(input, output), input, output);

        public IWork Broadcast(CommBuffer buffer, int root) => Streamed(() => group.Broadcast(buffer, root), buffer, buffer);

        public IWork AllToAll(CommBuffer input, CommBuffer output) => Streamed(() => group.AllToAll(input, output), input, output);

        public IWork Send(CommBuffer buffer, int peer, int tag = 0) => Streamed(() => group.Send(buffer, peer, tag), buffer, null);

        public IWork Receive(CommBuffer buffer, int peer, int tag = 0) => Streamed(() => group.Receive(buffer, peer, tag), null, buffer);

        public IWork Barrier() => group.Barrier();

        public void Dispose() => group.Dispose();

        private StreamedWork Streamed(Func<IWork> post, CommBuffer? input, CommBuffer? output)
        {
            NcclEmulator.SelectDevice(device);
            var produced = input is { } written ? new Snapshot(written) : null;
            try
            {
                // In place of a compute kernel: the values come only when the stream gets there.
                produced?.Spoil();
                produced?.WriteByStream();
                return new StreamedWork(post(), produced, output, device);
            }
            catch (ArgumentException)
            {
                NcclEmulator.Synchronize();
                throw;
            }
        }
    }

    private sealed class StreamedWork(IWork inner, Snapshot? produced, CommBuffer? output, int device) : IWork
    {
        private bool _isRead;

        public bool IsCompleted => inner.IsCompleted;

        public void Wait()
        {
            NcclEmulator.SelectDevice(device);
            try
            {
                inner.Wait();
            }
            catch (CollectiveException)
            {
                // The caller frees the buffer now, into which the stream may still write.
                NcclEmulator.Synchronize();
                throw;
            }
            if (_isRead)
                return;
            _isRead = true;
            using var consumed = output is { } result ? new Snapshot(result) : null;
            consumed?.ReadByStream();
            NcclEmulator.Synchronize();
            // The suite also asks whether the operation counts as complete; what the stream read before is what it gets to see.
            inner.WaitRegardless();
            consumed?.Restore();
            produced?.Dispose();
        }
    }

    /// <summary>A copy of a buffer that a stream reads or writes.</summary>
    private sealed class Snapshot(CommBuffer buffer) : IDisposable
    {
        private readonly long _bytes = buffer.Count * buffer.Type.SizeBytes();
        private readonly nint _memory = RawMemory.Allocate(buffer.Count * buffer.Type.SizeBytes());

        public void Spoil()
        {
            RawMemory.Copy(buffer.Address, _memory, _bytes);
            RawMemory.Clear(buffer.Address, _bytes);
        }

        public void WriteByStream() => NcclEmulator.Copy(_memory, buffer.Address, _bytes);

        public void ReadByStream() => NcclEmulator.Copy(buffer.Address, _memory, _bytes);

        /// <summary>Puts what the stream read in place of what is there now.</summary>
        public void Restore() => RawMemory.Copy(_memory, buffer.Address, _bytes);

        public void Dispose() => RawMemory.Free(_memory);
    }
}
