;; The inner loop of FastCDC (v2020): a 64-bit gear hash over pairs of bytes, in
;; WebAssembly because JavaScript has no fast 64-bit integers.
;;
;; Memory: GEAR (256 x u64) at 0, GEAR shifted left by one at 2048, data from 4096.
(module
  (memory (export "memory") 1)
  (global $hash (mut i64) (i64.const 0))

  ;; Forgets the bytes seen so far: a new chunk begins.
  (func (export "restart") (global.set $hash (i64.const 0)))

  ;; Hashes the pairs of bytes from $at up to $end (both addresses, an even number
  ;; of bytes apart) and returns the address of the byte at which the mask fits,
  ;; or $end where it never does. The hash carries over to the next call.
  (func (export "scan")
    (param $at i32) (param $end i32) (param $mask i64) (result i32)
    (local $hash i64) (local $shifted_mask i64)
    (local.set $hash (global.get $hash))
    (local.set $shifted_mask (i64.shl (local.get $mask) (i64.const 1)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        ;; The first byte of a pair: shift by two at once, with the shifted tables.
        (local.set $hash
          (i64.add
            (i64.shl (local.get $hash) (i64.const 2))
            (i64.load offset=2048 (i32.shl (i32.load8_u (local.get $at)) (i32.const 3)))))
        (br_if $done (i64.eqz (i64.and (local.get $hash) (local.get $shifted_mask))))
        ;; The second byte: the shift is done already.
        (local.set $hash
          (i64.add
            (local.get $hash)
            (i64.load (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 3)))))
        (if (i64.eqz (i64.and (local.get $hash) (local.get $mask)))
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $done)))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (br $next)))
    (global.set $hash (local.get $hash))
    (local.get $at)))
