using System.Runtime.CompilerServices;
using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>
    /// A tensor of libtorch. Disposing it, or the dispose scope it belongs to, releases the native tensor at once; the garbage
    /// collector does so at some time.
    /// </summary>
    public partial class Tensor : IDisposable
    {
        private static long _totalCount;
        private static long _peakCount;

        // Apart, because few tensors have one and hundreds are made in a step of training.
        private static readonly ConditionalWeakTable<Tensor, string> Names = [];

        private nint _handle;

        internal Tensor(nint handle)
        {
            _handle = handle;
            var count = Interlocked.Increment(ref _totalCount);
            if (count > Volatile.Read(ref _peakCount))
                Volatile.Write(ref _peakCount, count);
            DisposeScopeManager.ThreadSingleton.Register(this);
        }

        ~Tensor() => Dispose(false);

        /// <summary>Living tensor objects of the process.</summary>
        public static long TotalCount => Volatile.Read(ref _totalCount);

        /// <summary>The most tensor objects that lived at one time.</summary>
        public static long PeakCount => Volatile.Read(ref _peakCount);

        /// <summary>A name for debugging.</summary>
        public string? name
        {
            get => Names.TryGetValue(this, out var name) ? name : null;
            set
            {
                Names.Remove(this);
                if (value is not null)
                    Names.Add(this, value);
            }
        }

        /// <summary>Address of the native <c>at::Tensor</c>; an InvalidOperationException after disposal.</summary>
        public IntPtr Handle
        {
            get
            {
                if (_handle == 0)
                    ThrowInvalid();
                return _handle;
            }
        }

        /// <summary>True after disposal.</summary>
        public bool IsInvalid => _handle == 0;

        internal DisposeScope? OwningDisposeScope { get; set; }

        // The tensor's place in its scope's list.
        internal int ScopeIndex { get; set; } = -1;

        /// <summary>Makes a tensor object that owns the handle of a native tensor.</summary>
        public static Tensor UnsafeCreateTensor(IntPtr handle) => new(handle);

        /// <summary>Gives the native tensor up without releasing it.</summary>
        public IntPtr DecoupleFromNativeHandle()
        {
            var handle = Handle;
            Forget();
            return handle;
        }

        /// <summary>Another object for the same native tensor.</summary>
        public Tensor alias()
        {
            var other = new Tensor(NativeMethods.uniscale_tensor_alias(Handle));
            GC.KeepAlive(this);
            return other;
        }

        public Tensor MoveToOuterDisposeScope()
        {
            OwningDisposeScope?.MoveToOuter(this);
            return this;
        }

        public Tensor DetachFromDisposeScope()
        {
            OwningDisposeScope?.Detach(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningDisposeScope);

        public Tensor MoveToOtherDisposeScope(DisposeScope? other)
        {
            if (OwningDisposeScope is null)
                other?.Attach(this);
            else
                OwningDisposeScope.MoveToOther(other, this);
            return this;
        }

        /// <summary>Same object or same type, shape and elements.</summary>
        public bool Equals(Tensor? target) =>
            target is not null && (ReferenceEquals(this, target) || Aten.equal.CallBool(this, target));

        public override bool Equals(object? obj) => obj is Tensor other && Equals(other);

        public override int GetHashCode() => RuntimeHelpers.GetHashCode(this);

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            var handle = _handle;
            if (handle == 0)
                return;
            Forget();
            NativeMethods.uniscale_tensor_free(handle);
        }

        private void Forget()
        {
            DisposeScopeManager.ThreadSingleton.Disposing(this);
            OwningDisposeScope?.Remove(this);
            Interlocked.Decrement(ref _totalCount);
            _handle = 0;
        }

        private static void ThrowInvalid() => throw new InvalidOperationException("Tensor invalid -- empty handle.");
    }
}
