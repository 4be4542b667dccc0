using Uniscale.Mpi.Native;

namespace Uniscale.Mpi;

/// <summary>What was asked of a communicator, for messages.</summary>
internal readonly record struct MpiCall(string Operation, long Count, MpiElement Type, int Peer = -1, int Tag = 0)
{
    public override string ToString()
    {
        string peer = Peer < 0 ? "" : $" with {Peer} (tag {Tag})";
        return FormattableString.Invariant($"{Operation}{peer} of {Count:N0} {Type} ({Count * Type.SizeBytes():N0} bytes)");
    }
}

/// <summary>A started operation: one or several native requests. Its memory must stay valid until it is complete.</summary>
public sealed unsafe class MpiRequest
{
    private readonly MpiLoaded _mpi;
    private readonly MpiCommunicator _owner;
    private readonly MpiCall _call;
    private readonly nint[] _requests;
    private readonly nint _type;
    private readonly long _expectedBytes;
    private long _receivedBytes;
    private int _next;

    internal MpiRequest(MpiLoaded mpi, MpiCommunicator owner, in MpiCall call, nint[] requests, nint ownedType = 0, long expectedBytes = -1)
    {
        _mpi = mpi;
        _owner = owner;
        _call = call;
        _requests = requests;
        _type = ownedType;
        _expectedBytes = expectedBytes;
    }

    /// <summary>Moves the operation on and tells whether it is complete.</summary>
    public bool Test()
    {
        byte* status = stackalloc byte[MpiBinding.StatusBytes];
        for (; _next < _requests.Length; _next++)
        {
            Check(_mpi.Binding.Test(ref _requests[_next], out int done, (nint)status));
            if (done == 0)
                return false;
            Count((nint)status);
            if (_next == _requests.Length - 1)
                Finish();
        }
        return true;
    }

    /// <summary>Blocks until the operation is complete.</summary>
    public void Wait()
    {
        byte* status = stackalloc byte[MpiBinding.StatusBytes];
        for (; _next < _requests.Length; _next++)
        {
            Check(_mpi.Binding.Wait(ref _requests[_next], (nint)status));
            Count((nint)status);
            if (_next == _requests.Length - 1)
                Finish();
        }
    }

    /// <summary>Withdraws a receive that has not been met.</summary>
    public void Cancel()
    {
        byte* status = stackalloc byte[MpiBinding.StatusBytes];
        for (; _next < _requests.Length; _next++)
        {
            Check(_mpi.Binding.Cancel(ref _requests[_next]));
            Check(_mpi.Binding.Wait(ref _requests[_next], (nint)status));
        }
    }

    private void Count(nint status)
    {
        if (_expectedBytes < 0)
            return;
        Check(_mpi.Binding.Count(status, _mpi.Handles.Byte, out int bytes));
        _receivedBytes += bytes;
    }

    private void Finish()
    {
        if (_type != 0)
        {
            nint type = _type;
            Check(_mpi.Binding.FreeType(ref type));
        }
        if (_expectedBytes >= 0 && _receivedBytes != _expectedBytes)
            throw new MpiException($"{_owner.Describe(_call)}: the sender sent {_receivedBytes} bytes, not {_expectedBytes}");
    }

    private void Check(int code)
    {
        if (code != 0)
            throw new MpiException($"{_owner.Describe(_call)}: {_mpi.ErrorText(code)}");
    }
}
